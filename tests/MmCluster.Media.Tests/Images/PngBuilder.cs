using System.Buffers.Binary;
using System.IO.Compression;
using MmCluster.Media.Images.Png;

namespace MmCluster.Media.Tests.Images;

/// <summary>Writes PNG files that no honest encoder writes.</summary>
internal static class PngBuilder
{
    public static byte[] Build(
        int width, int height, byte depth, byte color, ReadOnlySpan<byte> rows, ushort? zlibHeader = null,
        ReadOnlySpan<byte> palette = default, ReadOnlySpan<byte> transparency = default)
    {
        var file = new MemoryStream();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = (depth, color);
        Chunk(file, "IHDR"u8, header);
        if (!palette.IsEmpty)
        {
            Chunk(file, "PLTE"u8, palette);
        }
        if (!transparency.IsEmpty)
        {
            Chunk(file, "tRNS"u8, transparency);
        }
        var data = new MemoryStream();
        using (var zlib = new ZLibStream(data, CompressionLevel.Fastest, leaveOpen: true))
        {
            zlib.Write(rows);
        }
        byte[] compressed = data.ToArray();
        if (zlibHeader is { } flags)
        {
            BinaryPrimitives.WriteUInt16BigEndian(compressed, flags);
        }
        Chunk(file, "IDAT"u8, compressed);
        Chunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    private static void Chunk(MemoryStream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> body)
    {
        byte[] number = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, body.Length);
        file.Write(number);
        file.Write(type);
        file.Write(body);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc32.Append(Crc32.Append(0, type), body));
        file.Write(number);
    }
}
