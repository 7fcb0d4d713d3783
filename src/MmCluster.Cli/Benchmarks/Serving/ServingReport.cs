namespace MmCluster.Cli.Benchmarks.Serving;

/// <summary>The figures of a run, under the keys of <c>vllm bench serve --save-result</c>.</summary>
internal static class ServingReport
{
    private static readonly int[] Percentiles = [50, 90, 99];

    /// <summary>Figures by key, in the order in which they are printed.</summary>
    public static IReadOnlyList<KeyValuePair<string, double>> Of(
        IReadOnlyList<RequestTiming> requests, TimeSpan duration, IReadOnlyDictionary<string, double> goodput)
    {
        RequestTiming[] completed = [.. requests.Where(request => request.Error is null)];
        double seconds = duration.TotalSeconds;
        long input = completed.Sum(request => (long)request.PromptTokens);
        long output = completed.Sum(request => (long)request.OutputTokens);
        List<KeyValuePair<string, double>> figures =
        [
            new("duration", seconds),
            new("completed", completed.Length),
            new("failed", requests.Count - completed.Length),
            new("total_input_tokens", input),
            new("total_output_tokens", output),
            new("request_throughput", completed.Length / seconds),
            new("output_throughput", output / seconds),
            new("total_token_throughput", (input + output) / seconds),
        ];
        if (goodput.Count > 0)
        {
            figures.Add(new("request_goodput", completed.Count(request => request.Meets(goodput)) / seconds));
        }
        Add(figures, "ttft", [.. completed.Select(request => request.TimeToFirstToken)]);
        Add(figures, "tpot", [.. completed.Where(request => request.TimePerOutputToken is not null).Select(request => request.TimePerOutputToken!.Value)]);
        Add(figures, "itl", [.. completed.SelectMany(request => request.InterTokenLatencies)]);
        Add(figures, "e2el", [.. completed.Select(request => request.EndToEnd)]);
        return figures;
    }

    /// <summary>The value at <paramref name="percent"/> of sorted <paramref name="values"/>, linear between neighbours as numpy's default is.</summary>
    public static double Percentile(IReadOnlyList<double> values, double percent)
    {
        double at = (values.Count - 1) * percent / 100;
        int low = (int)at;
        return low + 1 < values.Count ? values[low] + (at - low) * (values[low + 1] - values[low]) : values[low];
    }

    private static void Add(List<KeyValuePair<string, double>> figures, string metric, double[] values)
    {
        if (values.Length == 0)
        {
            return;
        }
        Array.Sort(values);
        double mean = values.Average();
        figures.Add(new($"mean_{metric}_ms", mean));
        figures.Add(new($"median_{metric}_ms", Percentile(values, 50)));
        figures.Add(new($"std_{metric}_ms", Math.Sqrt(values.Average(value => (value - mean) * (value - mean)))));
        foreach (int percent in Percentiles)
        {
            figures.Add(new($"p{percent}_{metric}_ms", Percentile(values, percent)));
        }
    }
}
