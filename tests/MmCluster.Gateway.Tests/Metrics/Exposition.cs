using System.Globalization;
using System.Text.RegularExpressions;

namespace MmCluster.Gateway.Tests.Metrics;

/// <summary>
/// Reads Prometheus' text format, version 0.0.4, as strictly as its description allows, so that what another reader may stumble over fails here: one HELP and one TYPE
/// before a metric's samples, those together, no series twice, histograms whole.
/// </summary>
internal sealed partial class Exposition
{
    private readonly Dictionary<string, double> _samples = new(StringComparer.Ordinal);

    private Exposition()
    {
    }

    /// <summary>Types by metric.</summary>
    public Dictionary<string, string> Types { get; } = new(StringComparer.Ordinal);

    /// <summary>The value of a series, such as <c>mm:x_total{model="m"}</c>; null where there is none.</summary>
    public double? this[string series] => _samples.TryGetValue(series, out double value) ? value : null;

    public IEnumerable<string> Series => _samples.Keys;

    public static Exposition Parse(string text)
    {
        var result = new Exposition();
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain('\r', text);
        string current = "";
        string? helped = null;
        foreach (string line in text[..^1].Split('\n'))
        {
            if (Help().Match(line) is { Success: true } help)
            {
                helped = help.Groups["name"].Value;
                continue;
            }
            if (Type().Match(line) is { Success: true } type)
            {
                current = type.Groups["name"].Value;
                Assert.True(helped == current, $"no HELP before {line}");
                Assert.True(result.Types.TryAdd(current, type.Groups["type"].Value), $"a second TYPE: {line}");
                continue;
            }
            Match sample = Sample().Match(line);
            Assert.True(sample.Success, $"no sample: {line}");
            string name = sample.Groups["name"].Value;
            bool known = name == current || (result.Types[current] == "histogram" && (name == current + "_bucket" || name == current + "_sum" || name == current + "_count"));
            Assert.True(known, $"a sample of another metric than {current}: {line}");
            Assert.True(result.Types[current] != "counter" || name.EndsWith("_total", StringComparison.Ordinal), $"a counter's name ends with _total: {line}");
            string[] labels = [.. sample.Groups["label"].Captures.Select(label => label.Value)];
            Assert.True(labels.Distinct(StringComparer.Ordinal).Count() == labels.Length, $"a label twice: {line}");
            double value = double.Parse(sample.Groups["value"].Value.Replace("+Inf", "Infinity", StringComparison.Ordinal), CultureInfo.InvariantCulture);
            Assert.True(result.Types[current] == "gauge" || value >= 0, $"below zero: {line}");
            Assert.True(result._samples.TryAdd(line[..line.LastIndexOf(' ')], value), $"a series twice: {line}");
        }
        result.CheckHistograms();
        return result;
    }

    private void CheckHistograms()
    {
        foreach (string metric in Types.Where(type => type.Value == "histogram").Select(type => type.Key))
        {
            IEnumerable<IGrouping<string, (string Bound, double Count)>> histograms = _samples
                .Where(sample => sample.Key.StartsWith(metric + "_bucket{", StringComparison.Ordinal))
                .Select(sample => (Match: Bound().Match(sample.Key[(metric + "_bucket").Length..]), sample.Value))
                .GroupBy(bucket => bucket.Match.Groups["others"].Value, bucket => (bucket.Match.Groups["bound"].Value, bucket.Value), StringComparer.Ordinal);
            foreach (IGrouping<string, (string Bound, double Count)> histogram in histograms)
            {
                (string Bound, double Count)[] buckets = [.. histogram];
                Assert.Equal("+Inf", buckets[^1].Bound);
                Assert.Equal(buckets.Select(bucket => bucket.Count).Order(), buckets.Select(bucket => bucket.Count));
                double[] bounds = [.. buckets[..^1].Select(bucket => double.Parse(bucket.Bound, CultureInfo.InvariantCulture))];
                Assert.Equal(bounds.Order().Distinct(), bounds);
                string labels = histogram.Key.Length == 0 ? "" : $"{{{histogram.Key}}}";
                Assert.Equal(buckets[^1].Count, this[$"{metric}_count{labels}"]);
                Assert.NotNull(this[$"{metric}_sum{labels}"]);
            }
        }
    }

    [GeneratedRegex(@"^# HELP (?<name>[a-zA-Z_:][a-zA-Z0-9_:]*) (?:[^\\\n]|\\\\|\\n)+$")]
    private static partial Regex Help();

    [GeneratedRegex("^# TYPE (?<name>[a-zA-Z_:][a-zA-Z0-9_:]*) (?<type>counter|gauge|histogram)$")]
    private static partial Regex Type();

    [GeneratedRegex("""^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?:(?<label>[a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\\n]|\\\\|\\"|\\n)*"(?:,(?=[a-zA-Z_])|(?=\})))+\})? (?<value>[+-]?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|Inf)|NaN)$""")]
    private static partial Regex Sample();

    [GeneratedRegex("""^\{(?:(?<others>.*),)?le="(?<bound>[^"]*)"\}$""")]
    private static partial Regex Bound();
}
