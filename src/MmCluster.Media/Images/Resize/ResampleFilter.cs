namespace MmCluster.Media.Images.Resize;

/// <summary>The filters' weights over the distance from a pixel's centre, as Pillow's Resample.c defines them.</summary>
internal static class ResampleFilter
{
    /// <summary>Half the width of a filter, in pixels.</summary>
    public static double Support(Resampling filter) => filter switch
    {
        Resampling.Box => 0.5,
        Resampling.Bilinear or Resampling.Hamming => 1,
        Resampling.Bicubic => 2,
        Resampling.Lanczos => 3,
        _ => throw new ArgumentOutOfRangeException(nameof(filter), filter, "no filter of this number"),
    };

    /// <summary>The weight at a distance.</summary>
    public static double Weight(Resampling filter, double x) => filter switch
    {
        Resampling.Box => x is > -0.5 and <= 0.5 ? 1 : 0,
        Resampling.Bilinear => Math.Abs(x) < 1 ? 1 - Math.Abs(x) : 0,
        Resampling.Hamming => Hamming(Math.Abs(x)),
        Resampling.Bicubic => Bicubic(Math.Abs(x)),
        Resampling.Lanczos => x is >= -3 and < 3 ? Sinc(x) * Sinc(x / 3) : 0,
        _ => throw new ArgumentOutOfRangeException(nameof(filter), filter, "no filter of this number"),
    };

    private static double Hamming(double x)
    {
        if (x == 0)
        {
            return 1;
        }
        double angle = x * Math.PI;
        return x >= 1 ? 0 : Math.Sin(angle) / angle * (0.54f + (0.46f * Math.Cos(angle))); // Pillow's constants are floats
    }

    private static double Bicubic(double x)
    {
        const double A = -0.5;
        return x < 1 ? (((((A + 2.0) * x) - (A + 3.0)) * x * x) + 1)
            : x < 2 ? ((((((x - 5) * x) + 8) * x) - 4) * A)
            : 0;
    }

    private static double Sinc(double x)
    {
        double angle = x * Math.PI;
        return x == 0 ? 1 : Math.Sin(angle) / angle;
    }
}
