using System.Buffers.Binary;
using System.Numerics;

namespace MmCluster.Media.Images.Bmp;

/// <summary>How a BMP file's pixels are packed.</summary>
internal enum BmpPacking
{
    Plain,
    RunLength8,
    RunLength4,
    Masks,
}

/// <summary>The bits of one colour in a pixel.</summary>
/// <param name="Bits">Ones where the colour is; all in a row.</param>
internal readonly record struct BmpMask(uint Bits)
{
    /// <summary>The colour scaled to 0..255, rounded down.</summary>
    public byte Extract(uint pixel)
    {
        if (Bits == 0)
        {
            return 0;
        }
        int width = BitOperations.PopCount(Bits);
        uint value = (pixel & Bits) >> BitOperations.TrailingZeroCount(Bits);
        return (byte)(width > 8 ? value >> (width - 8) : value * 255 / ((1u << width) - 1));
    }

    /// <summary>Whether the ones are in a row and inside a pixel of this many bits.</summary>
    public bool IsValid(int bitsPerPixel)
    {
        ulong run = Bits == 0 ? 0 : (ulong)Bits >> BitOperations.TrailingZeroCount(Bits);
        return (run & (run + 1)) == 0 && (bitsPerPixel == 32 || Bits >> bitsPerPixel == 0);
    }
}

/// <summary>The file and information headers of a BMP file, OS/2's included, checked.</summary>
internal sealed class BmpHeader
{
    private const int FileHeaderLength = 14;

    private BmpHeader(int width, int height)
    {
        Width = width;
        Height = height;
    }

    public int Width { get; }

    public int Height { get; }

    public int BitsPerPixel { get; private init; }

    /// <summary>Whether the first stored row is the topmost.</summary>
    public bool TopDown { get; private init; }

    public BmpPacking Packing { get; private init; }

    /// <summary>Where the pixels start in the file.</summary>
    public int PixelOffset { get; private init; }

    /// <summary>Where the palette starts in the file.</summary>
    public int PaletteOffset { get; private init; }

    /// <summary>Palette entries in the file; 0 for pictures of more than 8 bits.</summary>
    public int PaletteCount { get; private init; }

    /// <summary>Bytes of a palette entry: 4, or 3 in OS/2's first header.</summary>
    public int PaletteEntryBytes { get; private init; }

    public BmpMask Red { get; private set; }

    public BmpMask Green { get; private set; }

    public BmpMask Blue { get; private set; }

    /// <summary>Bytes of a stored row with its padding to 32 bits.</summary>
    public long RowBytes => (((long)Width * BitsPerPixel) + 31) / 32 * 4;

    /// <summary>Reads and checks the headers.</summary>
    /// <exception cref="InvalidDataException">A field is impossible, or a limit is passed.</exception>
    /// <exception cref="NotSupportedException">The compression is one that is not read here.</exception>
    public static BmpHeader Parse(ReadOnlySpan<byte> file, MediaLimits limits)
    {
        uint infoBytes = file.Length >= FileHeaderLength + 4 ? BinaryPrimitives.ReadUInt32LittleEndian(file[14..]) : 0;
        if (infoBytes is not (12 or 16 or 40 or 52 or 56 or 64 or 108 or 124) || file.Length < FileHeaderLength + infoBytes)
        {
            throw new InvalidDataException("BMP: the file breaks off inside its header");
        }
        ReadOnlySpan<byte> info = file.Slice(FileHeaderLength, (int)infoBytes);
        bool core = infoBytes == 12;
        long width = core ? BinaryPrimitives.ReadUInt16LittleEndian(info[4..]) : BinaryPrimitives.ReadInt32LittleEndian(info[4..]);
        long height = core ? BinaryPrimitives.ReadInt16LittleEndian(info[6..]) : BinaryPrimitives.ReadInt32LittleEndian(info[8..]);
        int bits = BinaryPrimitives.ReadUInt16LittleEndian(info[(core ? 10 : 14)..]);
        uint compression = infoBytes >= 40 ? BinaryPrimitives.ReadUInt32LittleEndian(info[16..]) : 0;
        uint colors = infoBytes >= 40 ? BinaryPrimitives.ReadUInt32LittleEndian(info[32..]) : 0;
        limits.CheckPicture(width, Math.Abs(height));

        int afterInfo = FileHeaderLength + (int)infoBytes;
        int maskBytes = infoBytes == 40 && compression is 3 or 6 ? (compression == 3 ? 12 : 16) : 0;
        long offset = BinaryPrimitives.ReadUInt32LittleEndian(file[10..]);
        long paletteEntries = bits > 8 ? 0 : colors == 0 ? 1 << bits : Math.Min(colors, 1u << bits);
        int entryBytes = core ? 3 : 4;
        if (offset < afterInfo + maskBytes || offset > file.Length)
        {
            throw new InvalidDataException($"BMP: the pixels are said to start at byte {offset} of {file.Length}");
        }
        paletteEntries = Math.Min(paletteEntries, (offset - afterInfo - maskBytes) / entryBytes);

        var header = new BmpHeader((int)width, (int)Math.Abs(height))
        {
            BitsPerPixel = bits,
            TopDown = height < 0,
            Packing = PackingOf(compression, bits, os2: infoBytes is 16 or 64),
            PixelOffset = (int)offset,
            PaletteOffset = afterInfo + maskBytes,
            PaletteCount = (int)paletteEntries,
            PaletteEntryBytes = entryBytes,
        };
        if (header.Packing == BmpPacking.Masks)
        {
            header.SetMasks(compression == 0 ? [] : file[(FileHeaderLength + 40)..]);
        }
        return header;
    }

    private static BmpPacking PackingOf(uint compression, int bits, bool os2) => (compression, bits) switch
    {
        (0, 1 or 2 or 4 or 8 or 24) => BmpPacking.Plain,
        (0, 16 or 32) => BmpPacking.Masks,
        (1, 8) => BmpPacking.RunLength8,
        (2, 4) => BmpPacking.RunLength4,
        (3 or 6, 16 or 32) when !os2 => BmpPacking.Masks,
        (3, 24) when !os2 => BmpPacking.Plain, // masks of 24-bit files are always blue, green, red
        (0 or 1 or 2 or 3 or 6, _) => throw new InvalidDataException($"BMP: compression {compression} with {bits} bits a pixel does not exist"),
        _ => throw new NotSupportedException($"BMP: compression {compression} is not read: save the picture as PNG"),
    };

    // Stored masks lie at the same place whether they follow a header of 40 bytes or belong to a longer one.
    private void SetMasks(ReadOnlySpan<byte> stored)
    {
        (Red, Green, Blue) = stored.IsEmpty
            ? BitsPerPixel == 16 ? (new BmpMask(0x7C00), new BmpMask(0x03E0), new BmpMask(0x001F))
                : (new BmpMask(0xFF0000), new BmpMask(0x00FF00), new BmpMask(0x0000FF))
            : (new BmpMask(BinaryPrimitives.ReadUInt32LittleEndian(stored)),
                new BmpMask(BinaryPrimitives.ReadUInt32LittleEndian(stored[4..])),
                new BmpMask(BinaryPrimitives.ReadUInt32LittleEndian(stored[8..])));
        if (!Red.IsValid(BitsPerPixel) || !Green.IsValid(BitsPerPixel) || !Blue.IsValid(BitsPerPixel))
        {
            throw new InvalidDataException($"BMP: the colour masks {Red.Bits:x8}, {Green.Bits:x8}, {Blue.Bits:x8} are impossible");
        }
    }
}
