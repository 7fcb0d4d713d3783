using MmCluster.Cli.Benchmarks.Serving;

namespace MmCluster.Cli.Tests.Benchmarks;

public sealed class ServingReportTests
{
    private static readonly Dictionary<string, double> NoGoal = [];

    [Fact]
    public void Throughput_counts_completed_requests_only()
    {
        RequestTiming[] requests = [Timing(100, 200, 11), Timing(300, 500, 21), new() { Error = "503" }];
        Dictionary<string, double> figures = new(ServingReport.Of(requests, TimeSpan.FromSeconds(2), NoGoal));
        Assert.Equal((2, 1, 1, 16), (figures["completed"], figures["failed"], figures["request_throughput"], figures["output_throughput"]));
        Assert.Equal((200, 10), (figures["mean_ttft_ms"], figures["mean_tpot_ms"]));
    }

    [Fact]
    public void Goodput_counts_requests_that_meet_every_bound()
    {
        RequestTiming[] requests = [Timing(100, 200, 11), Timing(300, 500, 21)];
        Dictionary<string, double> goal = new() { ["ttft"] = 150, ["tpot"] = 50 };
        Dictionary<string, double> figures = new(ServingReport.Of(requests, TimeSpan.FromSeconds(1), goal));
        Assert.Equal(1, figures["request_goodput"]);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(50, 2.5)]
    [InlineData(90, 3.7)]
    [InlineData(100, 4)]
    public void Percentiles_are_linear_between_neighbours(double percent, double expected) =>
        Assert.Equal(expected, ServingReport.Percentile([1, 2, 3, 4], percent), 12);

    [Fact]
    public void Poisson_arrivals_have_the_asked_rate_and_burstiness_spreads_them()
    {
        (double mean, double deviation) poisson = Moments(burstiness: 1);
        Assert.InRange(poisson.mean, 0.0097, 0.0103);
        Assert.InRange(poisson.deviation / poisson.mean, 0.95, 1.05);
        (double mean, double deviation) bursty = Moments(burstiness: 0.25);
        Assert.InRange(bursty.mean, 0.0095, 0.0105);
        Assert.InRange(bursty.deviation / bursty.mean, 1.9, 2.1);
    }

    private static (double Mean, double Deviation) Moments(double burstiness)
    {
        var arrivals = new ArrivalProcess(100, burstiness, new Random(1));
        double[] gaps = [.. Enumerable.Range(0, 40_000).Select(_ => arrivals.NextGap().TotalSeconds)];
        double mean = gaps.Average();
        return (mean, Math.Sqrt(gaps.Average(gap => (gap - mean) * (gap - mean))));
    }

    private static RequestTiming Timing(double first, double end, int tokens) => new()
    {
        TimeToFirstToken = first,
        EndToEnd = end,
        OutputTokens = tokens,
    };
}
