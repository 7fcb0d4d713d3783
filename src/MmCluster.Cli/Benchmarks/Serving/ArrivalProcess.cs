namespace MmCluster.Cli.Benchmarks.Serving;

/// <summary>When requests are sent: gaps from a gamma distribution of mean 1 / rate and shape = burstiness, as vllm bench serve draws them.</summary>
internal sealed class ArrivalProcess(double rate, double burstiness, Random random)
{
    /// <summary>The time to the next request.</summary>
    public TimeSpan NextGap() => double.IsPositiveInfinity(rate)
        ? TimeSpan.Zero
        : TimeSpan.FromSeconds(NextGamma(burstiness) / (rate * burstiness));

    // Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", 2000; below shape 1 boosted by U^(1/shape).
    private double NextGamma(double shape)
    {
        if (shape < 1)
        {
            return NextGamma(shape + 1) * Math.Pow(1 - random.NextDouble(), 1 / shape);
        }
        double d = shape - 1.0 / 3;
        double c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            double x = NextNormal();
            double v = Math.Pow(1 + c * x, 3);
            if (v > 0 && Math.Log(1 - random.NextDouble()) < 0.5 * x * x + d - d * v + d * Math.Log(v))
            {
                return d * v;
            }
        }
    }

    private double NextNormal() =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
