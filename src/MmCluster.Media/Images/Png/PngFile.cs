using System.Buffers.Binary;

namespace MmCluster.Media.Images.Png;

/// <summary>A PNG file taken apart into the chunks that decide its pixels; every chunk's CRC is checked on the way.</summary>
internal sealed class PngFile
{
    private const int SignatureLength = 8;
    private const int ChunkOverhead = 12; // length, type, CRC

    private readonly List<ReadOnlyMemory<byte>> _data = [];

    private PngFile(PngHeader header) => Header = header;

    public PngHeader Header { get; }

    /// <summary>The palette, three bytes an entry; empty without a PLTE chunk.</summary>
    public ReadOnlyMemory<byte> Palette { get; private set; }

    /// <summary>The tRNS chunk: alphas of the palette's first entries, or the samples of the one transparent colour; empty without one.</summary>
    public ReadOnlyMemory<byte> Transparency { get; private set; }

    /// <summary>The eXIf chunk: a TIFF structure; empty without one.</summary>
    public ReadOnlyMemory<byte> Exif { get; private set; }

    /// <summary>The bodies of the IDAT chunks in order: together one zlib stream.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Data => _data;

    /// <summary>Reads the file's chunks. Nothing is decompressed.</summary>
    /// <exception cref="InvalidDataException">The file breaks off before its pixels end, a CRC is wrong, or chunks are out of order.</exception>
    public static PngFile Parse(ReadOnlyMemory<byte> file, MediaLimits limits)
    {
        int offset = SignatureLength;
        PngFile? png = null;
        while (TryReadChunk(file, ref offset, png, out uint type, out ReadOnlyMemory<byte> body))
        {
            if (png is null)
            {
                if (type != Type("IHDR"u8) || body.Length != PngHeader.Length)
                {
                    throw new InvalidDataException("PNG: the first chunk is no IHDR");
                }
                png = new PngFile(PngHeader.Parse(body.Span, limits));
            }
            else if (type == Type("IEND"u8))
            {
                break;
            }
            else
            {
                png.Take(type, body);
            }
        }
        return png is not null && png._data.Count > 0 ? png : throw new InvalidDataException("PNG: the file ends before its pixels");
    }

    private void Take(uint type, ReadOnlyMemory<byte> body)
    {
        if (type == Type("IDAT"u8))
        {
            _data.Add(body);
        }
        else if (type == Type("PLTE"u8))
        {
            if (body.Length == 0 || body.Length % 3 != 0 || body.Length > 256 * 3 || !Palette.IsEmpty)
            {
                throw new InvalidDataException($"PNG: a PLTE chunk of {body.Length} bytes where one of up to 768 belongs");
            }
            Palette = body;
        }
        else if (type == Type("tRNS"u8))
        {
            Transparency = body;
        }
        else if (type == Type("eXIf"u8))
        {
            Exif = body;
        }
        else if ((type & 0x20000000) == 0) // a capital first letter: whoever does not know the chunk must not show the picture
        {
            throw new InvalidDataException($"PNG: unknown critical chunk {type:x8}");
        }
    }

    private static bool TryReadChunk(
        ReadOnlyMemory<byte> file, ref int offset, PngFile? png, out uint type, out ReadOnlyMemory<byte> body)
    {
        (type, body) = (0, default);
        ReadOnlySpan<byte> rest = file.Span[offset..];
        uint length = rest.Length >= ChunkOverhead ? BinaryPrimitives.ReadUInt32BigEndian(rest) : 0;
        if (rest.Length < ChunkOverhead || length > rest.Length - ChunkOverhead)
        {
            // Past the first IDAT a cut file may still hold every pixel; the zlib stream's own end decides.
            if (png is { _data.Count: > 0 })
            {
                if (rest.Length > 8 && BinaryPrimitives.ReadUInt32BigEndian(rest[4..]) == Type("IDAT"u8))
                {
                    throw new InvalidDataException("PNG: the file breaks off inside its pixels");
                }
                return false;
            }
            throw new InvalidDataException("PNG: the file breaks off inside a chunk");
        }
        type = BinaryPrimitives.ReadUInt32BigEndian(rest[4..]);
        uint stored = BinaryPrimitives.ReadUInt32BigEndian(rest[(8 + (int)length)..]);
        if (Crc32.Append(0, rest.Slice(4, 4 + (int)length)) != stored)
        {
            throw new InvalidDataException($"PNG: the chunk at byte {offset} has a wrong CRC: the file is damaged");
        }
        body = file.Slice(offset + 8, (int)length);
        offset += ChunkOverhead + (int)length;
        return true;
    }

    private static uint Type(ReadOnlySpan<byte> name) => BinaryPrimitives.ReadUInt32BigEndian(name);
}
