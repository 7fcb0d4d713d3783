namespace MmCluster.Media.Images;

/// <summary>Turns a picture upright by its EXIF orientation, as Pillow's <c>ImageOps.exif_transpose</c> does.</summary>
internal static class Orientation
{
    /// <summary>The upright picture; the given one is disposed unless it is returned.</summary>
    /// <param name="picture">Pixels as stored.</param>
    /// <param name="orientation">1 to 8: where the stored first row and first column belong (EXIF 2.3, tag 0x0112).</param>
    public static Picture Apply(Picture picture, int orientation)
    {
        if (orientation == 1)
        {
            return picture;
        }
        bool swaps = orientation >= 5;
        bool mirrorX = orientation is 2 or 3 or 6 or 7; // of the result's columns
        bool mirrorY = orientation is 3 or 4 or 7 or 8; // of the result's rows
        (int width, int height) = swaps ? (picture.Height, picture.Width) : (picture.Width, picture.Height);
        Picture upright = Picture.Allocate(width, height);
        ReadOnlySpan<byte> source = picture.Pixels;
        int stride = picture.Stride;
        for (int y = 0; y < height; y++)
        {
            Span<byte> row = upright.Row(y);
            int fromY = mirrorY ? height - 1 - y : y;
            int start = swaps ? fromY * 3 : fromY * stride;
            int step = swaps ? stride : 3;
            if (mirrorX)
            {
                start += (width - 1) * step;
                step = -step;
            }
            for (int x = 0, from = start; x < row.Length; x += 3, from += step)
            {
                row[x] = source[from];
                row[x + 1] = source[from + 1];
                row[x + 2] = source[from + 2];
            }
        }
        picture.Dispose();
        return upright;
    }
}
