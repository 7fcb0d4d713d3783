using System.Buffers.Binary;

namespace MmCluster.Media.Images.Gif;

/// <summary>
/// The first picture of a GIF file (CompuServe, GIF89a). What Pillow shows of it: the canvas grows to hold it, transparent pixels have
/// the colour that the palette gives them, and the rest of the canvas has the transparent colour, else the palette's first.
/// </summary>
internal sealed class GifFile
{
    private const int ScreenEnd = 13; // signature and logical screen descriptor
    private const int DescriptorLength = 9;

    private readonly ReadOnlyMemory<byte> _globalPalette;
    private readonly ReadOnlyMemory<byte> _picture; // from the descriptor to the empty block behind the pixels
    private readonly int _paletteFlags;

    private GifFile(ReadOnlyMemory<byte> globalPalette, int paletteFlags, ReadOnlyMemory<byte> picture)
    {
        _globalPalette = globalPalette;
        _paletteFlags = paletteFlags;
        _picture = picture;
    }

    /// <summary>Columns of the canvas.</summary>
    public int Width { get; private init; }

    /// <summary>Rows of the canvas.</summary>
    public int Height { get; private init; }

    /// <summary>Where the picture lies on the canvas.</summary>
    public (int X, int Y) Offset { get; private init; }

    /// <summary>The colour of the canvas beside the picture.</summary>
    public (byte Red, byte Green, byte Blue) Background { get; private init; }

    private ReadOnlySpan<byte> Size => _picture.Span.Slice(4, 4);

    /// <summary>The picture alone as a GIF file: a canvas of its size, nothing transparent.</summary>
    public byte[] ToSimpleFile()
    {
        byte[] file = [.. "GIF89a"u8, .. Size, (byte)_paletteFlags, 0, 0, .. _globalPalette.Span, 0x2C, .. _picture.Span, 0x3B];
        file.AsSpan(ScreenEnd + _globalPalette.Length + 1, 4).Clear(); // its place
        return file;
    }

    /// <summary>Walks the blocks up to the end of the first picture. Nothing is decoded.</summary>
    /// <exception cref="InvalidDataException">The file breaks off before that, or passes a limit.</exception>
    public static GifFile Parse(ReadOnlyMemory<byte> file, MediaLimits limits)
    {
        ReadOnlySpan<byte> bytes = file.Span;
        if (bytes.Length < ScreenEnd)
        {
            throw BreaksOff();
        }
        int paletteFlags = bytes[10];
        int at = ScreenEnd + PaletteBytes(paletteFlags);
        ReadOnlyMemory<byte> palette = file[ScreenEnd..Math.Min(at, file.Length)];
        int? transparent = null;
        while (true)
        {
            byte kind = at < bytes.Length ? bytes[at++] : throw BreaksOff();
            if (kind == 0x2C)
            {
                return ParsePicture(file, at, palette, paletteFlags, transparent, limits);
            }
            if (kind != 0x21)
            {
                throw new InvalidDataException($"Gif: a block of unknown kind {kind:x2}");
            }
            if (at + 6 <= bytes.Length && bytes[at] == 0xF9 && bytes[at + 1] >= 4) // graphic control
            {
                transparent = (bytes[at + 2] & 1) != 0 ? bytes[at + 5] : null;
            }
            at = SkipBlocks(bytes, at + 1);
        }
    }

    private static GifFile ParsePicture(
        ReadOnlyMemory<byte> file, int at, ReadOnlyMemory<byte> globalPalette, int paletteFlags, int? transparent, MediaLimits limits)
    {
        ReadOnlySpan<byte> bytes = file.Span;
        if (bytes.Length - at <= DescriptorLength)
        {
            throw BreaksOff();
        }
        int x = BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);
        int y = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(at + 2)..]);
        int width = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(at + 4)..]);
        int height = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(at + 6)..]);
        int canvasWidth = Math.Max(BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]), x + width);
        int canvasHeight = Math.Max(BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]), y + height);
        limits.CheckPicture(width, height);
        limits.CheckPicture(canvasWidth, canvasHeight);
        int paletteEnd = at + DescriptorLength + PaletteBytes(bytes[at + 8]);
        int end = SkipBlocks(bytes, paletteEnd + 1);
        ReadOnlyMemory<byte> palette = paletteEnd > at + DescriptorLength ? file[(at + DescriptorLength)..paletteEnd] : globalPalette;
        return new GifFile(globalPalette, paletteFlags, file[at..end])
        {
            Width = canvasWidth,
            Height = canvasHeight,
            Offset = (x, y),
            Background = Color(palette.Span, transparent ?? 0),
        };
    }

    private static (byte, byte, byte) Color(ReadOnlySpan<byte> palette, int index) => palette.Length >= (index * 3) + 3
        ? (palette[index * 3], palette[(index * 3) + 1], palette[(index * 3) + 2])
        : ((byte)index, (byte)index, (byte)index);

    // Past the empty block that ends a row of blocks.
    private static int SkipBlocks(ReadOnlySpan<byte> bytes, int at)
    {
        while (at < bytes.Length)
        {
            if (bytes[at] == 0)
            {
                return at + 1;
            }
            at += bytes[at] + 1;
        }
        throw BreaksOff();
    }

    private static int PaletteBytes(int flags) => (flags & 0x80) == 0 ? 0 : 3 << ((flags & 7) + 1);

    private static InvalidDataException BreaksOff() => new("Gif: the file breaks off before its first picture's end");
}
