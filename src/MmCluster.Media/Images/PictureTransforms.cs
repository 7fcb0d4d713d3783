using MmCluster.Media.Images.Resize;

namespace MmCluster.Media.Images;

/// <summary>Operations that make a picture of another size. Each returns a new picture, which the caller disposes.</summary>
public static class PictureTransforms
{
    /// <summary>Resizes as Pillow's <c>Image.resize</c> does, bit for bit.</summary>
    /// <param name="picture">The input, [h, w, 3].</param>
    /// <param name="width">Columns of the result.</param>
    /// <param name="height">Rows of the result.</param>
    /// <param name="filter">The filter; all but <see cref="Resampling.Nearest"/> are antialiased.</param>
    /// <exception cref="ArgumentOutOfRangeException">A side is not positive, the result fits no array, or the filter is unknown.</exception>
    public static Picture Resize(this Picture picture, int width, int height, Resampling filter)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        return Resizer.Resize(picture, width, height, filter, new PixelWindow(0, 0, width, height));
    }

    /// <summary>Cuts a rectangle out.</summary>
    /// <param name="picture">The input.</param>
    /// <param name="x">First column.</param>
    /// <param name="y">First row.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <exception cref="ArgumentOutOfRangeException">The rectangle is not inside the picture.</exception>
    public static Picture Crop(this Picture picture, int x, int y, int width, int height)
    {
        if (x < 0 || y < 0 || width <= 0 || height <= 0 || width > picture.Width - x || height > picture.Height - y)
        {
            throw new ArgumentOutOfRangeException(
                nameof(width), $"{width} x {height} at ({x}, {y}) does not lie in {picture.Width} x {picture.Height}");
        }
        return Resizer.Resize(picture, picture.Width, picture.Height, Resampling.Box, new PixelWindow(x, y, width, height));
    }

    /// <summary>The middle of a picture, with black around it where the picture is too small, as transformers' <c>center_crop</c>.</summary>
    /// <param name="picture">The input.</param>
    /// <param name="width">Columns of the result.</param>
    /// <param name="height">Rows of the result.</param>
    /// <exception cref="ArgumentOutOfRangeException">A side is not positive, or the result fits no array.</exception>
    public static Picture CenterCrop(this Picture picture, int width, int height) =>
        ResizeAndCenterCrop(picture, picture.Width, picture.Height, Resampling.Box, width, height);

    /// <summary>Puts a picture in the middle of a square as long as its longer side, as LLaVA's <c>expand2square</c>.</summary>
    /// <param name="picture">The input.</param>
    /// <param name="red">Red of the background.</param>
    /// <param name="green">Green of the background.</param>
    /// <param name="blue">Blue of the background.</param>
    /// <exception cref="ArgumentOutOfRangeException">The square fits no array.</exception>
    public static Picture PadToSquare(this Picture picture, byte red, byte green, byte blue)
    {
        int side = Math.Max(picture.Width, picture.Height);
        return picture.PlaceOn(side, side, ((side - picture.Width) / 2, (side - picture.Height) / 2), (red, green, blue));
    }

    /// <summary>Puts a picture on one of a single colour, inside of which it must lie.</summary>
    internal static Picture PlaceOn(
        this Picture picture, int width, int height, (int X, int Y) offset, (byte Red, byte Green, byte Blue) background)
    {
        Picture canvas = Picture.Allocate(width, height);
        Span<byte> pixels = canvas.Pixels;
        for (int i = 0; i < pixels.Length; i += 3)
        {
            (pixels[i], pixels[i + 1], pixels[i + 2]) = background;
        }
        for (int y = 0; y < picture.Height; y++)
        {
            picture.Row(y).CopyTo(canvas.Row(offset.Y + y)[(offset.X * 3)..]);
        }
        return canvas;
    }

    /// <summary>Resizes, then takes the middle; what lies outside of the crop is never computed.</summary>
    internal static Picture ResizeAndCenterCrop(
        Picture picture, int width, int height, Resampling filter, int cropWidth, int cropHeight)
    {
        (int left, int fromX, int countX) = CropSide(width, cropWidth);
        (int top, int fromY, int countY) = CropSide(height, cropHeight);
        Picture middle = Resizer.Resize(picture, width, height, filter, new PixelWindow(fromX, fromY, countX, countY));
        if ((countX, countY) == (cropWidth, cropHeight))
        {
            return middle;
        }
        using (middle)
        {
            return middle.PlaceOn(cropWidth, cropHeight, (left, top), (0, 0, 0));
        }
    }

    // transformers' rounding: the cut starts at floor((size - crop) / 2); a padded side puts its odd pixel before the picture.
    private static (int Pad, int From, int Count) CropSide(int size, int crop)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(crop);
        return size >= crop ? (0, (size - crop) / 2, crop) : ((crop - size + 1) / 2, 0, size);
    }
}
