using System.Buffers.Binary;

namespace MmCluster.Media.Images.Png;

/// <summary>What a sample of a PNG row means.</summary>
internal enum PngColor : byte
{
    Grey = 0,
    Rgb = 2,
    Palette = 3,
    GreyAlpha = 4,
    Rgba = 6,
}

/// <summary>The IHDR chunk, checked.</summary>
/// <param name="Width">Pixels a row.</param>
/// <param name="Height">Rows.</param>
/// <param name="BitDepth">Bits a sample: 1, 2, 4, 8 or 16, as the colour type allows.</param>
/// <param name="Color">The colour type.</param>
/// <param name="Interlaced">Whether the rows come in Adam7's seven passes.</param>
internal readonly record struct PngHeader(int Width, int Height, int BitDepth, PngColor Color, bool Interlaced)
{
    /// <summary>Bytes of the chunk's body.</summary>
    public const int Length = 13;

    /// <summary>Bits of a pixel in a row.</summary>
    public int BitsPerPixel => BitDepth * Color switch
    {
        PngColor.Rgb => 3,
        PngColor.GreyAlpha => 2,
        PngColor.Rgba => 4,
        _ => 1,
    };

    /// <summary>Bytes back to the pixel that the filters call "left": at least one.</summary>
    public int FilterDistance => Math.Max(1, BitsPerPixel / 8);

    /// <summary>Bytes of a row of this many pixels, without its filter byte.</summary>
    public int RowBytes(int width) => checked((int)((((long)width * BitsPerPixel) + 7) / 8));

    /// <summary>Reads and checks the chunk's body.</summary>
    /// <exception cref="InvalidDataException">A field has a value that PNG does not know, or a limit is passed.</exception>
    public static PngHeader Parse(ReadOnlySpan<byte> body, MediaLimits limits)
    {
        uint width = BinaryPrimitives.ReadUInt32BigEndian(body);
        uint height = BinaryPrimitives.ReadUInt32BigEndian(body[4..]);
        (byte depth, byte color) = (body[8], body[9]);
        bool known = color switch
        {
            0 => depth is 1 or 2 or 4 or 8 or 16,
            3 => depth is 1 or 2 or 4 or 8,
            2 or 4 or 6 => depth is 8 or 16,
            _ => false,
        };
        if (!known)
        {
            throw new InvalidDataException($"PNG: colour type {color} with {depth} bits does not exist");
        }
        if (body[10] != 0 || body[11] != 0 || body[12] > 1)
        {
            throw new InvalidDataException($"PNG: unknown compression {body[10]}, filter {body[11]} or interlace {body[12]} method");
        }
        limits.CheckPicture(width, height);
        return new PngHeader((int)width, (int)height, depth, (PngColor)color, body[12] == 1);
    }
}
