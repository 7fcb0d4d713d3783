using System.Buffers.Binary;
using System.IO.Compression;

namespace MmCluster.Media.Images.Png;

/// <summary>Writes 8-bit RGB or RGBA as PNG.</summary>
public static class PngEncoder
{
    private const int BlockBytes = 1 << 16;

    /// <summary>Encodes a picture.</summary>
    /// <param name="picture">The picture.</param>
    /// <returns>A whole PNG file.</returns>
    public static byte[] Encode(Picture picture) => Encode(picture.Pixels, picture.Width, picture.Height, 3);

    /// <summary>Encodes interleaved samples.</summary>
    /// <param name="pixels">[height, width, channels].</param>
    /// <param name="width">Pixels a row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="channels">3 for RGB, 4 for RGBA with straight alpha.</param>
    /// <returns>A whole PNG file.</returns>
    /// <exception cref="ArgumentException">The channels are neither 3 nor 4, a side is not positive, or the length is not their product.</exception>
    public static byte[] Encode(ReadOnlySpan<byte> pixels, int width, int height, int channels)
    {
        if (channels is not (3 or 4) || width <= 0 || height <= 0 || pixels.Length != (long)width * height * channels)
        {
            throw new ArgumentException($"{pixels.Length} bytes are not [{height}, {width}, {channels}] with 3 or 4 channels", nameof(pixels));
        }
        var file = new MemoryStream();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        Span<byte> header = stackalloc byte[PngHeader.Length];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        header[8] = 8;
        header[9] = (byte)(channels == 3 ? PngColor.Rgb : PngColor.Rgba);
        header[10..].Clear();
        WriteChunk(file, "IHDR"u8, header);
        ReadOnlySpan<byte> data = Compress(pixels, width * channels, channels);
        for (int at = 0; at < data.Length; at += BlockBytes)
        {
            WriteChunk(file, "IDAT"u8, data.Slice(at, Math.Min(BlockBytes, data.Length - at)));
        }
        WriteChunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    private static Span<byte> Compress(ReadOnlySpan<byte> pixels, int stride, int distance)
    {
        var data = new MemoryStream();
        using (var zlib = new ZLibStream(data, CompressionLevel.Optimal, leaveOpen: true))
        {
            byte[] line = new byte[stride + 1];
            byte[] zeros = new byte[stride];
            line[0] = 4; // Paeth, which is seldom far from the best choice for what cameras and networks make
            for (int at = 0; at < pixels.Length; at += stride)
            {
                ReadOnlySpan<byte> above = at == 0 ? zeros : pixels.Slice(at - stride, stride);
                PngFilter.ApplyPaeth(pixels.Slice(at, stride), above, distance, line.AsSpan(1));
                zlib.Write(line);
            }
        }
        return data.GetBuffer().AsSpan(0, (int)data.Length);
    }

    private static void WriteChunk(MemoryStream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> body)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, body.Length);
        file.Write(number);
        file.Write(type);
        file.Write(body);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc32.Append(Crc32.Append(0, type), body));
        file.Write(number);
    }
}
