namespace MmCluster.Media.Images;

/// <summary>
/// Turns pictures into an encoder's input as transformers' image processors do on Pillow: pad, resize and crop on 8 bits, then
/// rescale and normalize in F32. Thread-safe.
/// </summary>
public sealed class ImageProcessor
{
    private readonly MediaLimits _limits;
    private readonly float[] _values; // [3, 256]: what each 8-bit sample of red, green and blue becomes

    /// <summary>A processor.</summary>
    /// <param name="config">Its steps.</param>
    /// <param name="limits">Bounds what padding and resizing may make; by default <see cref="MediaLimits.Default"/>.</param>
    public ImageProcessor(ImageProcessorConfig config, MediaLimits? limits = null)
    {
        Config = config;
        _limits = limits ?? MediaLimits.Default;
        _values = MakeValues(config);
    }

    /// <summary>The steps.</summary>
    public ImageProcessorConfig Config { get; }

    /// <summary>The size of the result for a picture of this size.</summary>
    /// <param name="width">Columns of the picture.</param>
    /// <param name="height">Rows of the picture.</param>
    public (int Width, int Height) OutputSize(int width, int height)
    {
        (width, height) = Config.PadToSquare ? (Math.Max(width, height), Math.Max(width, height)) : (width, height);
        return Config.CenterCrop ?? Config.Resize?.Apply(width, height) ?? (width, height);
    }

    /// <summary>Processes a picture.</summary>
    /// <param name="picture">The picture; not changed.</param>
    /// <returns>[3, height, width] of <see cref="OutputSize"/>.</returns>
    /// <exception cref="InvalidDataException">A step would make more pixels than the limits allow.</exception>
    public float[] Process(Picture picture)
    {
        (int width, int height) = OutputSize(picture.Width, picture.Height);
        _limits.CheckPicture(width, height);
        float[] values = new float[3 * width * height];
        Process(picture, values);
        return values;
    }

    /// <summary>Processes a picture into memory of the caller.</summary>
    /// <param name="picture">The picture; not changed.</param>
    /// <param name="values">Receives [3, height, width] of <see cref="OutputSize"/>, whose length it must have.</param>
    /// <exception cref="ArgumentException">The length is not that.</exception>
    /// <exception cref="InvalidDataException">A step would make more pixels than the limits allow.</exception>
    public void Process(Picture picture, Span<float> values)
    {
        (int width, int height) = OutputSize(picture.Width, picture.Height);
        if (values.Length != 3L * width * height)
        {
            throw new ArgumentException($"[3, {height}, {width}] needs {3L * width * height} values, got {values.Length}", nameof(values));
        }
        _limits.CheckPicture(width, height);
        Picture shaped = Shape(picture);
        try
        {
            Spread(shaped.Pixels, values, _values);
        }
        finally
        {
            if (shaped != picture)
            {
                shaped.Dispose();
            }
        }
    }

    private Picture Shape(Picture picture)
    {
        if (Config.PadToSquare && picture.Width != picture.Height)
        {
            int side = Math.Max(picture.Width, picture.Height);
            _limits.CheckPicture(side, side);
            (byte red, byte green, byte blue) = Config.Background;
            Picture square = picture.PadToSquare(red, green, blue);
            Picture shaped = ResizeAndCrop(square);
            if (shaped != square)
            {
                square.Dispose();
            }
            return shaped;
        }
        return ResizeAndCrop(picture);
    }

    private Picture ResizeAndCrop(Picture picture)
    {
        (int width, int height) = Config.Resize?.Apply(picture.Width, picture.Height) ?? (picture.Width, picture.Height);
        if (Config.CenterCrop is var (cropWidth, cropHeight))
        {
            return PictureTransforms.ResizeAndCenterCrop(picture, width, height, Config.Resampling, cropWidth, cropHeight);
        }
        return (width, height) == (picture.Width, picture.Height) ? picture : picture.Resize(width, height, Config.Resampling);
    }

    // From interleaved samples to planes, by a table: 256 samples have 256 values.
    private static void Spread(ReadOnlySpan<byte> pixels, Span<float> values, ReadOnlySpan<float> table)
    {
        int plane = pixels.Length / 3;
        ReadOnlySpan<float> reds = table[..256];
        ReadOnlySpan<float> greens = table[256..512];
        ReadOnlySpan<float> blues = table[512..768];
        Span<float> red = values[..plane];
        Span<float> green = values.Slice(plane, plane);
        Span<float> blue = values.Slice(2 * plane, plane);
        for (int i = 0, from = 0; i < red.Length; i++, from += 3)
        {
            red[i] = reds[pixels[from]];
            green[i] = greens[pixels[from + 1]];
            blue[i] = blues[pixels[from + 2]];
        }
    }

    // The rounding is numpy's in transformers: the product in doubles, then everything in floats.
    private static float[] MakeValues(ImageProcessorConfig config)
    {
        float[] values = new float[3 * 256];
        for (int i = 0; i < values.Length; i++)
        {
            int channel = i / 256;
            float value = (float)((i % 256) * (config.RescaleFactor ?? 1));
            values[i] = config.Mean is null ? value : (value - (float)config.Mean[channel]) / (float)config.Std[channel];
        }
        return values;
    }
}
