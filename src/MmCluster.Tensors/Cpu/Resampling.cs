namespace MmCluster.Tensors.Cpu;

/// <summary>Along one axis: which inputs make an output, and with which weights. PyTorch's rules (aten/src/ATen/native/UpSample.h).</summary>
internal sealed class Resampling
{
    private Resampling(int outputs, int taps)
    {
        Taps = taps;
        Indices = new int[outputs * taps];
        Weights = new float[outputs * taps];
    }

    /// <summary>Inputs an output takes; those without use have weight 0.</summary>
    internal int Taps { get; }

    /// <summary>[outputs][taps]</summary>
    internal int[] Indices { get; }

    /// <summary>[outputs][taps]</summary>
    internal float[] Weights { get; }

    internal static Resampling Of(int inputs, int outputs, InterpolationMode mode, bool alignCorners, bool antialias)
    {
        double scale = !alignCorners ? (double)inputs / outputs : outputs > 1 ? (inputs - 1.0) / (outputs - 1) : 0;
        return antialias
            ? Antialiased(inputs, outputs, mode, scale)
            : mode == InterpolationMode.Bilinear ? Linear(inputs, outputs, scale, alignCorners) : Cubic(inputs, outputs, scale, alignCorners);
    }

    private static double Source(int output, double scale, bool alignCorners) =>
        alignCorners ? output * scale : ((output + 0.5) * scale) - 0.5;

    private static Resampling Linear(int inputs, int outputs, double scale, bool alignCorners)
    {
        var result = new Resampling(outputs, 2);
        for (int i = 0; i < outputs; i++)
        {
            double source = Math.Max(Source(i, scale, alignCorners), 0);
            int first = Math.Min((int)source, inputs - 1);
            double fraction = Math.Min(source - first, 1);
            result.Set(i, 0, first, 1 - fraction);
            result.Set(i, 1, Math.Min(first + 1, inputs - 1), fraction);
        }

        return result;
    }

    // Keys' kernel with a = -0.75; indices past the edges are clamped.
    private static Resampling Cubic(int inputs, int outputs, double scale, bool alignCorners)
    {
        var result = new Resampling(outputs, 4);
        for (int i = 0; i < outputs; i++)
        {
            double source = Source(i, scale, alignCorners);
            double floor = Math.Floor(source);
            for (int tap = 0; tap < 4; tap++)
            {
                double index = floor - 1 + tap;
                result.Set(i, tap, (int)Math.Clamp(index, 0, inputs - 1), Keys(source - index, -0.75));
            }
        }

        return result;
    }

    // The kernel widens with the scale when shrinking; a = -0.5 for the cubic one; weights are normalized over the inputs there are.
    private static Resampling Antialiased(int inputs, int outputs, InterpolationMode mode, double scale)
    {
        int size = mode == InterpolationMode.Bilinear ? 2 : 4;
        double support = size / 2.0 * Math.Max(scale, 1);
        double inverse = scale >= 1 ? 1 / scale : 1;
        var result = new Resampling(outputs, ((int)Math.Ceiling(support) * 2) + 1);
        for (int i = 0; i < outputs; i++)
        {
            double center = scale * (i + 0.5);
            int first = Math.Max((int)(center - support + 0.5), 0);
            int count = Math.Min((int)(center + support + 0.5), inputs) - first;
            double total = 0;
            for (int pass = 0; pass < 2; pass++)
            {
                for (int tap = 0; tap < Math.Min(count, result.Taps); tap++)
                {
                    double x = (tap + first - center + 0.5) * inverse;
                    double weight = mode == InterpolationMode.Bilinear ? Math.Max(0, 1 - Math.Abs(x)) : Keys(x, -0.5);
                    if (pass == 0)
                    {
                        total += weight;
                    }
                    else
                    {
                        result.Set(i, tap, first + tap, total != 0 ? weight / total : weight);
                    }
                }
            }
        }

        return result;
    }

    private static double Keys(double x, double a)
    {
        x = Math.Abs(x);
        return x <= 1 ? ((((a + 2) * x) - (a + 3)) * x * x) + 1
            : x < 2 ? (((((x - 5) * x) + 8) * x) - 4) * a
            : 0;
    }

    private void Set(int output, int tap, int index, double weight)
    {
        Indices[(output * Taps) + tap] = index;
        Weights[(output * Taps) + tap] = (float)weight;
    }
}
