using System.Buffers;

namespace MmCluster.Media.Images.Jpeg;

/// <summary>Decodes JPEG through libturbojpeg: baseline and progressive, grey, YCbCr, RGB, CMYK and YCCK.</summary>
internal static class JpegDecoder
{
    /// <summary>Decodes a file.</summary>
    /// <param name="file">The whole file.</param>
    /// <param name="limits">Checked against the header before the library sees the file.</param>
    /// <exception cref="InvalidDataException">The file is damaged beyond repair, breaks off, or passes a limit.</exception>
    /// <exception cref="MissingDependencyException">libturbojpeg is not installed.</exception>
    public static DecodedPicture Decode(ReadOnlySpan<byte> file, MediaLimits limits)
    {
        JpegHeader header = JpegHeader.Parse(file, limits);
        using TurboJpeg.Handle handle = TurboJpeg.Open();
        (int width, int height, int colorspace) = TurboJpeg.ReadHeader(handle, file);
        if ((width, height) != (header.Width, header.Height))
        {
            throw new InvalidDataException($"JPEG: {TurboJpeg.Message(handle)}");
        }
        Picture picture = Picture.Allocate(width, height);
        try
        {
            if (colorspace is TurboJpeg.ColorspaceCmyk or TurboJpeg.ColorspaceYcck)
            {
                DecodeCmyk(handle, file, picture);
            }
            else
            {
                DecodePixels(handle, file, picture.Pixels, (width, height), TurboJpeg.PixelRgb);
            }
        }
        catch
        {
            picture.Dispose();
            throw;
        }
        return new DecodedPicture(picture, header.Orientation);
    }

    private static void DecodeCmyk(TurboJpeg.Handle handle, ReadOnlySpan<byte> file, Picture picture)
    {
        int count = picture.Width * picture.Height * 4;
        byte[] rented = ArrayPool<byte>.Shared.Rent(count);
        try
        {
            Span<byte> cmyk = rented.AsSpan(0, count);
            DecodePixels(handle, file, cmyk, (picture.Width, picture.Height), TurboJpeg.PixelCmyk);
            ToRgb(cmyk, picture.Pixels);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>
    /// Inverted CMYK, as Adobe's programs store it and Pillow takes every file to be, to RGB by Pillow's formula
    /// <c>rgb = (255 - k) - (255 - k) * cmy / 255</c> with its rounding of x / 255.
    /// </summary>
    private static void ToRgb(ReadOnlySpan<byte> inverted, Span<byte> rgb)
    {
        for (int from = 0, to = 0; to < rgb.Length; from += 4, to += 3)
        {
            int white = inverted[from + 3];
            for (int c = 0; c < 3; c++)
            {
                int product = ((255 - inverted[from + c]) * white) + 128;
                rgb[to + c] = (byte)(white - ((product + (product >> 8)) >> 8));
            }
        }
    }

    /// <summary>
    /// Decodes what Pillow decodes: damaged data is shown as well as it can be, a file that breaks off is refused. The library tells a
    /// warning and a fatal error after a warning apart by nothing but the text, so the first warning is learnt from a run of its own.
    /// </summary>
    private static void DecodePixels(TurboJpeg.Handle handle, ReadOnlySpan<byte> file, Span<byte> pixels, (int, int) size, int format)
    {
        if (TurboJpeg.Decode(handle, file, pixels, size, format, stopOnWarning: true) is not var (first, warned))
        {
            return;
        }
        if (!warned || first.Contains("Premature end of JPEG file", StringComparison.Ordinal))
        {
            throw new InvalidDataException($"JPEG: {first}");
        }
        if (TurboJpeg.Decode(handle, file, pixels, size, format, stopOnWarning: false) is var (text, _) && text != first)
        {
            throw new InvalidDataException($"JPEG: {text}");
        }
    }
}
