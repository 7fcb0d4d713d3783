using System.Globalization;
using System.Text;

namespace MmCluster.Gateway.Metrics;

/// <summary>Counts of values under fixed bounds, in Prometheus' form. Safe to call from any thread.</summary>
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

    /// <summary>Appends the series; <paramref name="labels"/> as <c>model="m"</c>.</summary>
    public void Render(StringBuilder text, string name, string labels)
    {
        long[] counts;
        double sum;
        lock (_gate)
        {
            counts = [.. _counts];
            sum = _sum;
        }
        long total = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            total += counts[i];
            string bound = i < bounds.Length ? bounds[i].ToString(CultureInfo.InvariantCulture) : "+Inf";
            text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels},le=\"{bound}\"}} {total}\n");
        }
        text.Append(CultureInfo.InvariantCulture, $"{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {total}\n");
    }
}
