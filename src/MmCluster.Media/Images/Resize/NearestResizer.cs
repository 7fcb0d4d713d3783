namespace MmCluster.Media.Images.Resize;

/// <summary>Nearest-pixel resizing as Pillow's ImagingScaleAffine does it: positions are summed up step by step, in doubles.</summary>
internal static class NearestResizer
{
    /// <inheritdoc cref="Resizer.Resize"/>
    public static Picture Resize(Picture picture, int width, int height, PixelWindow window)
    {
        int[] columns = Positions(picture.Width, width, window.X, window.Width);
        int[] rows = Positions(picture.Height, height, window.Y, window.Height);
        Picture result = Picture.Allocate(window.Width, window.Height);
        for (int y = 0; y < rows.Length; y++)
        {
            ReadOnlySpan<byte> source = picture.Row(rows[y]);
            Span<byte> target = result.Row(y);
            for (int x = 0; x < columns.Length; x++)
            {
                source.Slice(columns[x] * 3, 3).CopyTo(target[(x * 3)..]);
            }
        }
        return result;
    }

    private static int[] Positions(int inputSize, int outputSize, int start, int count)
    {
        int[] positions = new int[count];
        double step = (double)inputSize / outputSize;
        double position = step * 0.5;
        for (int i = 0; i < start + count; i++, position += step)
        {
            if (i >= start)
            {
                positions[i - start] = Math.Min((int)position, inputSize - 1);
            }
        }
        return positions;
    }
}
