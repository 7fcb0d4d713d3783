namespace MmCluster.Media.Images.Resize;

/// <summary>
/// The weights of one pass, in fixed point with <see cref="Precision"/> bits, for a window of the output. The arithmetic follows
/// Pillow's Resample.c (precompute_coeffs, normalize_coeffs_8bpc) step for step, because its rounding decides pixels.
/// </summary>
internal sealed class ResampleWeights
{
    /// <summary>Fraction bits of a weight: 32 less 8 for the pixel and 2 for sums past the range.</summary>
    public const int Precision = 32 - 8 - 2;

    private readonly int[] _weights; // [count, Stride]
    private readonly int[] _first; // [count]
    private readonly int[] _taps; // [count]

    /// <summary>Computes the weights.</summary>
    /// <param name="filter">The filter; not <see cref="Resampling.Nearest"/>.</param>
    /// <param name="inputSize">Pixels along this side of the input.</param>
    /// <param name="outputSize">Pixels along this side of the whole output.</param>
    /// <param name="start">First output pixel wanted.</param>
    /// <param name="count">Output pixels wanted.</param>
    public ResampleWeights(Resampling filter, int inputSize, int outputSize, int start, int count)
    {
        double scale = (double)inputSize / outputSize;
        double filterScale = Math.Max(scale, 1.0);
        double support = ResampleFilter.Support(filter) * filterScale;
        Stride = ((int)Math.Ceiling(support) * 2) + 1;
        _weights = new int[checked(count * Stride)];
        _first = new int[count];
        _taps = new int[count];
        double[] exact = new double[Stride];
        double inverse = 1.0 / filterScale;
        for (int i = 0; i < count; i++)
        {
            double center = (start + i + 0.5) * scale;
            int first = Math.Max((int)(center - support + 0.5), 0);
            int taps = Math.Min((int)(center + support + 0.5), inputSize) - first;
            double sum = 0;
            for (int x = 0; x < taps; x++)
            {
                exact[x] = ResampleFilter.Weight(filter, (x + first - center + 0.5) * inverse);
                sum += exact[x];
            }
            Span<int> row = _weights.AsSpan(i * Stride, taps);
            for (int x = 0; x < taps; x++)
            {
                double weight = (sum != 0 ? exact[x] / sum : exact[x]) * (1 << Precision);
                row[x] = (int)(weight < 0 ? -0.5 + weight : 0.5 + weight);
            }
            (_first[i], _taps[i]) = (first, taps);
        }
    }

    private int Stride { get; }

    /// <summary>Output pixels of the window.</summary>
    public int Count => _first.Length;

    /// <summary>The first input pixel that any output pixel needs.</summary>
    public int InputStart => _first[0];

    /// <summary>One past the last input pixel that any output pixel needs.</summary>
    public int InputEnd => _first[^1] + _taps[^1];

    /// <summary>The first input pixel of an output pixel.</summary>
    public int First(int output) => _first[output];

    /// <summary>The weights of an output pixel, from its first input pixel on.</summary>
    public ReadOnlySpan<int> Of(int output) => _weights.AsSpan(output * Stride, _taps[output]);
}
