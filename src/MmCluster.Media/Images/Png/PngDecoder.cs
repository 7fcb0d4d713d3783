using System.Buffers;
using System.IO.Compression;

namespace MmCluster.Media.Images.Png;

/// <summary>Decodes PNG (W3C, third edition) of every colour type, depth and interlacing to RGB.</summary>
internal static class PngDecoder
{
    // First column and row of each Adam7 pass, and its steps.
    private static readonly (int X, int Y, int StepX, int StepY)[] Adam7 =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

    private static readonly (int X, int Y, int StepX, int StepY)[] Plain = [(0, 0, 1, 1)];

    /// <summary>Decodes a file.</summary>
    /// <param name="file">The whole file.</param>
    /// <param name="limits">Checked against the header before pixel memory is taken.</param>
    /// <param name="stop">Looked at between rows.</param>
    /// <returns>The pixels as stored and the EXIF orientation, 1 to 8.</returns>
    /// <exception cref="InvalidDataException">The file is damaged or passes a limit.</exception>
    public static DecodedPicture Decode(ReadOnlyMemory<byte> file, MediaLimits limits, CancellationToken stop)
    {
        PngFile png = PngFile.Parse(file, limits);
        if (png.Header.Color == PngColor.Palette && png.Palette.IsEmpty)
        {
            throw new InvalidDataException("PNG: a palette picture without a PLTE chunk");
        }
        Picture picture = Picture.Allocate(png.Header.Width, png.Header.Height);
        try
        {
            DecodePixels(png, picture, stop);
        }
        catch
        {
            picture.Dispose();
            throw;
        }
        return new DecodedPicture(picture, Exif.Orientation(png.Exif.Span));
    }

    /// <summary>Takes the samples of one row of one interlacing pass: unfiltered, pixels at <paramref name="x"/> and every <paramref name="step"/> after it.</summary>
    internal delegate void RowTaker(ReadOnlySpan<byte> samples, int y, int x, int step, int width);

    /// <summary>Decompresses and unfilters all rows.</summary>
    /// <exception cref="InvalidDataException">The pixels are damaged or end early.</exception>
    internal static void ReadRows(PngFile png, RowTaker take, CancellationToken stop)
    {
        PngHeader header = png.Header;
        int rowBytes = header.RowBytes(header.Width);
        byte[] rows = ArrayPool<byte>.Shared.Rent(2 * (rowBytes + 1));
        using var pixels = new ZLibStream(new SegmentStream(png.Data), CompressionMode.Decompress);
        try
        {
            Span<byte> current = rows.AsSpan(0, rowBytes + 1);
            Span<byte> above = rows.AsSpan(rowBytes + 1, rowBytes + 1);
            foreach ((int x, int y, int stepX, int stepY) in header.Interlaced ? Adam7 : Plain)
            {
                int width = (header.Width - x + stepX - 1) / stepX;
                if (width <= 0)
                {
                    continue;
                }
                int passBytes = header.RowBytes(width);
                above.Clear();
                for (int row = y; row < header.Height; row += stepY)
                {
                    stop.ThrowIfCancellationRequested();
                    Span<byte> line = current[..(passBytes + 1)];
                    ReadRow(pixels, line, row);
                    PngFilter.Undo(line[0], line[1..], above[1..(passBytes + 1)], header.FilterDistance);
                    take(line[1..], row, x, stepX, width);
                    Span<byte> next = above;
                    above = current;
                    current = next;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rows);
        }
    }

    private static void DecodePixels(PngFile png, Picture picture, CancellationToken stop)
    {
        byte[] palette = FullPalette(png.Palette.Span);
        byte[] spread = png.Header.Interlaced ? new byte[picture.Stride] : [];
        ReadRows(png, Expand, stop);

        void Expand(ReadOnlySpan<byte> samples, int y, int x, int step, int width)
        {
            if (step == 1)
            {
                PngRows.Expand(png.Header, palette, samples, picture.Row(y)[(x * 3)..]);
            }
            else
            {
                PngRows.Expand(png.Header, palette, samples, spread.AsSpan(0, width * 3));
                Scatter(spread.AsSpan(0, width * 3), picture.Row(y)[(x * 3)..], step);
            }
        }
    }

    private static void ReadRow(ZLibStream pixels, Span<byte> line, int row)
    {
        int read;
        try
        {
            read = pixels.ReadAtLeast(line, line.Length, throwOnEndOfStream: false);
        }
        catch (Exception error) when (error is InvalidDataException or IOException) // the latter for a stream that wants a dictionary
        {
            throw new InvalidDataException($"PNG: the compressed pixels are damaged at row {row}", error);
        }
        if (read < line.Length)
        {
            throw new InvalidDataException($"PNG: the pixels end at row {row}");
        }
    }

    private static void Scatter(ReadOnlySpan<byte> pixels, Span<byte> row, int step)
    {
        for (int from = 0, to = 0; from < pixels.Length; from += 3, to += 3 * step)
        {
            pixels.Slice(from, 3).CopyTo(row[to..]);
        }
    }

    // Pillow's palettes begin as a grey ramp, so an index past the chunk's end is that grey.
    internal static byte[] FullPalette(ReadOnlySpan<byte> palette)
    {
        byte[] full = new byte[256 * 3];
        for (int i = 0; i < full.Length; i++)
        {
            full[i] = (byte)(i / 3);
        }
        palette.CopyTo(full);
        return full;
    }
}
