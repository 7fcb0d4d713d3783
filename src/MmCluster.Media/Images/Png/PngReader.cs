namespace MmCluster.Media.Images.Png;

/// <summary>Reads PNG files with their alpha; <see cref="PictureReader"/> drops it.</summary>
public static class PngReader
{
    /// <summary>Decodes a file. Colours are as <see cref="PictureReader"/> gives them; EXIF orientation is not applied.</summary>
    /// <param name="file">The whole file; not changed, not kept.</param>
    /// <param name="name">What errors call it.</param>
    /// <param name="limits">Checked against the header before memory is taken; by default <see cref="MediaLimits.Default"/>.</param>
    /// <param name="stop">Looked at between rows.</param>
    /// <exception cref="InvalidDataException">It is no PNG, is damaged, or passes a limit.</exception>
    public static RgbaPicture ReadRgba(ReadOnlyMemory<byte> file, string name, MediaLimits? limits = null, CancellationToken stop = default)
    {
        try
        {
            if (MediaSniffer.Sniff(file.Span) != MediaFormat.Png)
            {
                throw new InvalidDataException($"no PNG: {MediaSniffer.Describe(file.Span)}");
            }
            PngFile png = PngFile.Parse(file, limits ?? MediaLimits.Default);
            if (png.Header.Color == PngColor.Palette && png.Palette.IsEmpty)
            {
                throw new InvalidDataException("PNG: a palette picture without a PLTE chunk");
            }
            return Decode(png, stop);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{name}: {error.Message}", error);
        }
    }

    private static RgbaPicture Decode(PngFile png, CancellationToken stop)
    {
        (int width, int height) = (png.Header.Width, png.Header.Height);
        byte[] pixels = new byte[checked(width * height * 4)];
        byte[] palette = PngDecoder.FullPalette(png.Palette.Span);
        byte[] colours = new byte[width * 3];
        byte[] alphas = new byte[width];
        PngDecoder.ReadRows(png, Expand, stop);
        return new RgbaPicture(width, height, pixels);

        void Expand(ReadOnlySpan<byte> samples, int y, int x, int step, int count)
        {
            PngRows.Expand(png.Header, palette, samples, colours.AsSpan(0, count * 3));
            PngAlpha.Expand(png.Header, png.Transparency.Span, samples, alphas.AsSpan(0, count));
            for (int i = 0; i < count; i++)
            {
                Span<byte> pixel = pixels.AsSpan(((y * width) + x + (i * step)) * 4, 4);
                colours.AsSpan(i * 3, 3).CopyTo(pixel);
                pixel[3] = alphas[i];
            }
        }
    }
}
