namespace MmCluster.Media.Images.WebP;

/// <summary>
/// Turns VP8's planes into RGB with libwebp's rounding, which Pillow shows: every chroma sample lies in the middle of four pixels, a
/// pixel takes 9/16 of the nearest sample, 3/16 of the two beside it and 1/16 of the far one, computed as two means of diagonals; then
/// ITU-R BT.601 with the range 16..235 in fixed point with 14 bits.
/// </summary>
internal static class ChromaUpsampler
{
    /// <summary>Converts a picture.</summary>
    /// <param name="planes">Luma [h, w], then two planes of chroma [(h + 1) / 2, (w + 1) / 2].</param>
    /// <param name="picture">Receives the pixels; its size is the planes'.</param>
    public static void ToRgb(ReadOnlySpan<byte> planes, Picture picture)
    {
        (int width, int height) = (picture.Width, picture.Height);
        (int halfWidth, int halfHeight) = ((width + 1) / 2, (height + 1) / 2);
        ReadOnlySpan<byte> blues = planes.Slice(width * height, halfWidth * halfHeight);
        ReadOnlySpan<byte> reds = planes.Slice((width * height) + blues.Length, blues.Length);
        for (int y = 0; y < height; y++)
        {
            // Even rows lie just below the middle between two rows of chroma, odd ones just above; the border is repeated.
            int near = y / 2;
            int far = Math.Clamp(y % 2 == 0 ? near - 1 : near + 1, 0, halfHeight - 1);
            Row(planes.Slice(y * width, width),
                blues.Slice(near * halfWidth, halfWidth), blues.Slice(far * halfWidth, halfWidth),
                reds.Slice(near * halfWidth, halfWidth), reds.Slice(far * halfWidth, halfWidth), picture.Row(y));
        }
    }

    private static void Row(
        ReadOnlySpan<byte> luma, ReadOnlySpan<byte> u, ReadOnlySpan<byte> farU, ReadOnlySpan<byte> v, ReadOnlySpan<byte> farV, Span<byte> rgb)
    {
        int last = luma.Length - 1;
        for (int x = 0; x <= last; x++)
        {
            int near = x / 2;
            int far = x % 2 == 0 ? near - 1 : near + 1;
            bool isBorder = x == 0 || (x == last && x % 2 == 1);
            int blue = isBorder ? Vertical(u[near], farU[near]) : Diagonal(u[near], u[far], farU[near], farU[far]);
            int red = isBorder ? Vertical(v[near], farV[near]) : Diagonal(v[near], v[far], farV[near], farV[far]);
            Write(luma[x], blue, red, rgb.Slice(x * 3, 3));
        }
    }

    private static int Vertical(int near, int far) => ((3 * near) + far + 2) >> 2;

    // The mean of the four, leaning to the two that share an edge with the pixel's own sample, then halfway to that sample.
    private static int Diagonal(int near, int beside, int above, int far)
    {
        int lean = (near + beside + above + far + 8 + (2 * (beside + above))) >> 3;
        return (lean + near) >> 1;
    }

    private static void Write(int y, int u, int v, Span<byte> rgb)
    {
        int luma = (y * 19077) >> 8;
        rgb[0] = Clip(luma + ((v * 26149) >> 8) - 14234);
        rgb[1] = Clip(luma - ((u * 6419) >> 8) - ((v * 13320) >> 8) + 8708);
        rgb[2] = Clip(luma + ((u * 33050) >> 8) - 17685);
    }

    private static byte Clip(int value) => (byte)Math.Clamp(value >> 6, 0, 255);
}
