namespace MmCluster.Tensors.Tests;

public abstract partial class DeviceTests
{
    [Theory]
    [InlineData(5, 7, 9, 4)]
    [InlineData(24, 24, 14, 14)]
    [InlineData(3, 3, 3, 3)]
    [InlineData(1, 6, 5, 1)]
    [InlineData(37, 11, 5, 40)]
    public void Interpolation_follows_pytorchs_formulas(int height, int width, int outHeight, int outWidth)
    {
        using var scope = new TensorScope();
        Tensor x = Random([2, 3, height, width], 1);
        foreach (InterpolationMode mode in Enum.GetValues<InterpolationMode>())
        {
            foreach ((bool corners, bool antialias) in new[] { (false, false), (true, false), (false, true), (true, true) })
            {
                double[,] vertical = Weights(height, outHeight, mode, corners, antialias);
                double[,] horizontal = Weights(width, outWidth, mode, corners, antialias);
                float[] v = x.ToArray<float>();
                var expected = new List<double>();
                for (int plane = 0; plane < 6; plane++)
                {
                    for (int i = 0; i < outHeight; i++)
                    {
                        for (int j = 0; j < outWidth; j++)
                        {
                            double sum = 0;
                            for (int r = 0; r < height; r++)
                            {
                                for (int c = 0; c < width; c++)
                                {
                                    sum += vertical[i, r] * horizontal[j, c] * v[(((plane * height) + r) * width) + c];
                                }
                            }

                            expected.Add(sum);
                        }
                    }
                }

                Reference.Close(x.Interpolate(outHeight, outWidth, mode, corners, antialias), expected.ToArray(), 1e-6);
            }
        }
    }

    // The dense matrix of one axis, from the formulas in PyTorch's documentation and UpSample.h.
    private static double[,] Weights(int inputs, int outputs, InterpolationMode mode, bool corners, bool antialias)
    {
        var weights = new double[outputs, inputs];
        double scale = !corners ? (double)inputs / outputs : outputs > 1 ? (inputs - 1.0) / (outputs - 1) : 0;
        for (int i = 0; i < outputs; i++)
        {
            if (antialias)
            {
                double stretch = Math.Max(scale, 1);
                double reach = (mode == InterpolationMode.Bilinear ? 1 : 2) * stretch;
                double center = scale * (i + 0.5);
                int from = Math.Max((int)(center - reach + 0.5), 0);
                int to = Math.Min((int)(center + reach + 0.5), inputs);
                double total = 0;
                for (int j = from; j < to; j++)
                {
                    double distance = Math.Abs((j - center + 0.5) / stretch);
                    weights[i, j] = mode == InterpolationMode.Bilinear ? Math.Max(0, 1 - distance) : Cubic(distance, -0.5);
                    total += weights[i, j];
                }

                for (int j = from; j < to; j++)
                {
                    weights[i, j] /= total;
                }

                continue;
            }

            double source = corners ? i * scale : ((i + 0.5) * scale) - 0.5;
            if (mode == InterpolationMode.Bilinear)
            {
                source = Math.Max(source, 0);
                int low = (int)source;
                weights[i, Math.Min(low, inputs - 1)] += 1 - (source - low);
                weights[i, Math.Min(low + 1, inputs - 1)] += source - low;
            }
            else
            {
                int low = (int)Math.Floor(source);
                for (int tap = low - 1; tap <= low + 2; tap++)
                {
                    weights[i, Math.Clamp(tap, 0, inputs - 1)] += Cubic(Math.Abs(source - tap), -0.75);
                }
            }
        }

        return weights;
    }

    private static double Cubic(double x, double a) =>
        x <= 1 ? ((a + 2) * x * x * x) - ((a + 3) * x * x) + 1 : x < 2 ? (a * x * x * x) - (5 * a * x * x) + (8 * a * x) - (4 * a) : 0;

    [Theory]
    [InlineData(3, 4, 14, 14, 0, 1, 1)]
    [InlineData(4, 6, 3, 1, 1, 1, 1)]
    [InlineData(4, 6, 3, 2, 2, 2, 2)]
    [InlineData(6, 6, 2, 1, 0, 1, 6)]
    public void Convolution_matches_the_naive_loops(int channels, int outputs, int kernel, int stride, int padding, int dilation, int groups)
    {
        using var scope = new TensorScope();
        const int Height = 29, Width = 31;
        Tensor x = Random([2, channels, Height, Width], 1);
        Tensor weight = Random([outputs, channels / groups, kernel, kernel], 2);
        Tensor bias = Random([outputs], 3);
        (float[] v, float[] w, float[] b) = (x.ToArray<float>(), weight.ToArray<float>(), bias.ToArray<float>());
        int outHeight = ((Height + (2 * padding) - (dilation * (kernel - 1)) - 1) / stride) + 1;
        int outWidth = ((Width + (2 * padding) - (dilation * (kernel - 1)) - 1) / stride) + 1;
        var expected = new List<double>();
        for (int n = 0; n < 2; n++)
        {
            for (int o = 0; o < outputs; o++)
            {
                for (int at = 0; at < outHeight * outWidth; at++)
                {
                    double sum = b[o];
                    for (int i = 0; i < channels / groups * kernel * kernel; i++)
                    {
                        int c = (o / (outputs / groups) * (channels / groups)) + (i / (kernel * kernel));
                        int row = (at / outWidth * stride) - padding + (i / kernel % kernel * dilation);
                        int column = (at % outWidth * stride) - padding + (i % kernel * dilation);
                        if (row >= 0 && row < Height && column >= 0 && column < Width)
                        {
                            sum += (double)w[(o * channels / groups * kernel * kernel) + i] * v[(((((n * channels) + c) * Height) + row) * Width) + column];
                        }
                    }

                    expected.Add(sum);
                }
            }
        }

        Tensor y = x.Conv2d(weight, bias, stride, padding, dilation, groups);
        Assert.Equal(new Shape(2, outputs, outHeight, outWidth), y.Shape);
        Reference.Close(y, expected.ToArray());
    }
}
