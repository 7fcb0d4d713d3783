using System.Globalization;
using System.Text;

namespace MmCluster.Gateway.Metrics;

/// <summary>Writes Prometheus' text format, version 0.0.4. Not thread-safe.</summary>
internal sealed class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly StringBuilder _text = new();

    /// <summary>A label with its value, whatever that is made of.</summary>
    public static string Label(string name, string value) =>
        $"{name}=\"{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).ReplaceLineEndings("\\n")}\"";

    /// <summary>Begins a metric: its samples follow, no other's between them.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="type">counter, gauge or histogram.</param>
    /// <param name="help">What it says, in one line.</param>
    public void Begin(string name, string type, string help) => _text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");

    /// <summary>A sample; <paramref name="labels"/> as <c>model="m",stage="s"</c>, or empty.</summary>
    public void Sample(string name, string labels, double value) =>
        _text.Append(name).Append(labels.Length == 0 ? "" : "{").Append(labels).Append(labels.Length == 0 ? " " : "} ").Append(value.ToString(CultureInfo.InvariantCulture)).Append('\n');

    /// <summary>A histogram's samples.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="labels">As for a sample.</param>
    /// <param name="bounds">Upper bounds of all buckets but the last.</param>
    /// <param name="counts">What fell into each bucket, those below it not counted; one more than bounds.</param>
    /// <param name="sum">Of all values.</param>
    public void Histogram(string name, string labels, IReadOnlyList<double> bounds, IReadOnlyList<long> counts, double sum)
    {
        string before = labels.Length == 0 ? "" : labels + ",";
        long total = 0;
        for (int i = 0; i < counts.Count; i++)
        {
            total += counts[i];
            Sample(name + "_bucket", $"{before}le=\"{(i < bounds.Count ? bounds[i].ToString(CultureInfo.InvariantCulture) : "+Inf")}\"", total);
        }
        Sample(name + "_sum", labels, sum);
        Sample(name + "_count", labels, total);
    }

    /// <summary>All that was written.</summary>
    public override string ToString() => _text.ToString();
}
