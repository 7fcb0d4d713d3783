namespace MmCluster.Gateway.Metrics;

/// <summary>Counts of values under fixed bounds. Safe to call from any thread.</summary>
internal sealed class Histogram(double[] bounds)
{
    private readonly long[] _counts = new long[bounds.Length + 1];
    private readonly Lock _gate = new();
    private double _sum;

    public void Observe(double value)
    {
        int bucket = 0;
        while (bucket < bounds.Length && value > bounds[bucket])
        {
            bucket++;
        }
        lock (_gate)
        {
            _counts[bucket]++;
            _sum += value;
        }
    }

    /// <summary>Writes the series.</summary>
    public void Render(PrometheusText text, string name, string labels)
    {
        long[] counts;
        double sum;
        lock (_gate)
        {
            counts = [.. _counts];
            sum = _sum;
        }
        text.Histogram(name, labels, bounds, counts, sum);
    }
}
