using System.Buffers;

namespace MmCluster.Media.Images.Resize;

/// <summary>
/// Resizes as Pillow's <c>Image.resize</c> does on 8-bit pictures, bit for bit: antialiased filters in two passes, columns first,
/// each rounded to 8 bits; a side that keeps its size has no pass. Only a window of the result is computed, so a crop of a long
/// strip costs what the crop costs.
/// </summary>
internal static class Resizer
{
    /// <summary>A window of the picture resized to a size.</summary>
    /// <param name="picture">The input.</param>
    /// <param name="width">Columns of the whole result.</param>
    /// <param name="height">Rows of the whole result.</param>
    /// <param name="filter">The filter.</param>
    /// <param name="window">What of the result is wanted; inside it.</param>
    /// <returns>A picture of the window's size; the caller disposes it.</returns>
    public static Picture Resize(Picture picture, int width, int height, Resampling filter, PixelWindow window)
    {
        if (filter == Resampling.Nearest)
        {
            return NearestResizer.Resize(picture, width, height, window);
        }
        ResampleWeights? across = width == picture.Width ? null : new(filter, picture.Width, width, window.X, window.Width);
        ResampleWeights? down = height == picture.Height ? null : new(filter, picture.Height, height, window.Y, window.Height);
        (int firstRow, int endRow) = down is null ? (window.Y, window.Y + window.Height) : (down.InputStart, down.InputEnd);
        int stride = window.Width * 3;
        Picture result = Picture.Allocate(window.Width, window.Height);
        byte[]? rented = down is null ? null : ArrayPool<byte>.Shared.Rent(checked((endRow - firstRow) * stride));
        try
        {
            Span<byte> rows = rented is null ? result.Pixels : rented.AsSpan(0, (endRow - firstRow) * stride);
            for (int y = firstRow; y < endRow; y++)
            {
                Span<byte> row = rows.Slice((y - firstRow) * stride, stride);
                if (across is null)
                {
                    picture.Row(y).Slice(window.X * 3, stride).CopyTo(row);
                }
                else
                {
                    ResamplePass.Horizontal(picture.Row(y), across, row);
                }
            }
            for (int y = 0; down is not null && y < window.Height; y++)
            {
                ResamplePass.Vertical(rows[((down.First(y) - firstRow) * stride)..], stride, down.Of(y), result.Row(y));
            }
            return result;
        }
        catch
        {
            result.Dispose();
            throw;
        }
        finally
        {
            if (rented is not null)
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
        }
    }
}
