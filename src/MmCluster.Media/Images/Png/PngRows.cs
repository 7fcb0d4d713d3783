namespace MmCluster.Media.Images.Png;

/// <summary>
/// Turns unfiltered PNG rows into RGB as Pillow's <c>convert("RGB")</c> does: alpha and tRNS are dropped, colours of 16 bits keep their
/// high byte, greys of 1 to 4 bits are stretched to 0..255, and greys of 16 bits are clipped at 255 (not scaled).
/// </summary>
internal static class PngRows
{
    /// <summary>Expands one row.</summary>
    /// <param name="header">Colour type and depth.</param>
    /// <param name="palette">256 entries of three bytes for a palette picture.</param>
    /// <param name="row">The samples.</param>
    /// <param name="rgb">Receives [width, 3].</param>
    public static void Expand(in PngHeader header, ReadOnlySpan<byte> palette, ReadOnlySpan<byte> row, Span<byte> rgb)
    {
        int width = rgb.Length / 3;
        switch (header.Color, header.BitDepth)
        {
            case (PngColor.Rgb, 8):
                row[..rgb.Length].CopyTo(rgb);
                break;
            case (PngColor.Rgb, _):
                PickColors(row, rgb, width, 6, 2);
                break;
            case (PngColor.Rgba, 8):
                PickColors(row, rgb, width, 4, 1);
                break;
            case (PngColor.Rgba, _):
                PickColors(row, rgb, width, 8, 2);
                break;
            case (PngColor.GreyAlpha, 8):
                PickGrey(row, rgb, width, 2);
                break;
            case (PngColor.GreyAlpha, _):
                PickGrey(row, rgb, width, 4);
                break;
            case (PngColor.Grey, 8):
                PickGrey(row, rgb, width, 1);
                break;
            case (PngColor.Grey, 16):
                for (int x = 0; x < width; x++)
                {
                    rgb.Slice(x * 3, 3).Fill(row[x * 2] == 0 ? row[(x * 2) + 1] : (byte)255);
                }
                break;
            case (PngColor.Grey, int depth):
                int scale = 255 / ((1 << depth) - 1);
                for (int x = 0; x < width; x++)
                {
                    rgb.Slice(x * 3, 3).Fill((byte)(Sample(row, x, depth) * scale));
                }
                break;
            default:
                for (int x = 0; x < width; x++)
                {
                    palette.Slice(Sample(row, x, header.BitDepth) * 3, 3).CopyTo(rgb[(x * 3)..]);
                }
                break;
        }
    }

    private static void PickColors(ReadOnlySpan<byte> row, Span<byte> rgb, int width, int pixelBytes, int sampleBytes)
    {
        for (int x = 0; x < width; x++)
        {
            ReadOnlySpan<byte> pixel = row.Slice(x * pixelBytes, pixelBytes);
            (rgb[x * 3], rgb[(x * 3) + 1], rgb[(x * 3) + 2]) = (pixel[0], pixel[sampleBytes], pixel[2 * sampleBytes]);
        }
    }

    private static void PickGrey(ReadOnlySpan<byte> row, Span<byte> rgb, int width, int pixelBytes)
    {
        for (int x = 0; x < width; x++)
        {
            byte grey = row[x * pixelBytes];
            (rgb[x * 3], rgb[(x * 3) + 1], rgb[(x * 3) + 2]) = (grey, grey, grey);
        }
    }

    // Leftmost pixel in the high bits.
    private static int Sample(ReadOnlySpan<byte> row, int x, int depth)
    {
        int bit = x * depth;
        return (row[bit >> 3] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
    }
}
