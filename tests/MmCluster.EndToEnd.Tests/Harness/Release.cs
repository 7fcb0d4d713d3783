using System.Globalization;

namespace MmCluster.EndToEnd.Tests.Harness;

/// <summary>
/// How soon requests that their clients gave up are freed. The gateway's own clock judges: its metric holds, for each, the time until all stages had freed it. Where
/// a machine has more to run than processors, time in which something waited for one (the kernel counts it) is not held against the cluster.
/// </summary>
internal sealed class Release
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ClusterGateway _gateway;
    private readonly string _model;
    private readonly (long WithinSecond, long All) _before;
    private readonly long _start = TimeProvider.System.GetTimestamp();
    private readonly TimeSpan _stalled = Stalled();

    private Release(ClusterGateway gateway, string model, (long, long) before) => (_gateway, _model, _before) = (gateway, model, before);

    /// <summary>To be called right before clients leave.</summary>
    public static async Task<Release> WatchAsync(ClusterGateway gateway, string model) => new(gateway, model, Count(await MetricsAsync(gateway), model));

    /// <summary>Waits until as many requests as left were freed, which must take a second at most; then nothing may be held by anybody.</summary>
    public async Task CompleteAsync(int requests)
    {
        (long WithinSecond, long All) freed = default;
        do
        {
            Assert.True(TimeProvider.System.GetElapsedTime(_start) < Patience, $"{freed.All} of {requests} requests were freed");
            (long within, long all) = Count(await MetricsAsync(_gateway), _model);
            freed = (within - _before.WithinSecond, all - _before.All);
        }
        while (freed.All < requests);
        TimeSpan elapsed = TimeProvider.System.GetElapsedTime(_start);
        TimeSpan stalled = Stalled() - _stalled;
        TestContext.Current.TestOutputHelper?.WriteLine($"{freed.WithinSecond} of {requests} freed within 1 s, all within {elapsed.TotalMilliseconds:0} ms, {stalled.TotalMilliseconds:0} ms of them short of processors");
        Assert.Equal(requests, freed.All);
        Assert.True(freed.WithinSecond == requests || elapsed - stalled <= Second, $"only {freed.WithinSecond} of {requests} requests were freed within a second");
        await IsBaselineAsync(_gateway);
    }

    /// <summary>Nobody holds anything: no tensors under lease on nodes and gateway, no KV blocks, no features pinned in encoders' caches, no places in queues.</summary>
    public static async Task IsBaselineAsync(ClusterGateway gateway)
    {
        await gateway.UntilAsync(
            status => status.LeasedBytes() == 0 && status.IsIdle() && status.Stages.All(stage => stage is { CacheHeld: 0, KvCacheUsage: 0 }), "something is still held", Patience);
        Assert.Equal(0, Value(await MetricsAsync(gateway), "mm:transfer_leased_bytes{}"));
    }

    private static Task<string> MetricsAsync(ClusterGateway gateway) => gateway.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative), TestContext.Current.CancellationToken);

    private static (long WithinSecond, long All) Count(string metrics, string model) => (
        Value(metrics, $"mm:request_release_seconds_bucket{{model=\"{model}\",le=\"1\"}}"),
        Value(metrics, $"mm:request_release_seconds_count{{model=\"{model}\"}}"));

    // A series that has no value yet is at 0.
    private static long Value(string metrics, string series) => metrics.Split('\n')
        .Where(line => line.StartsWith(series + " ", StringComparison.Ordinal))
        .Select(line => long.Parse(line.AsSpan(series.Length), CultureInfo.InvariantCulture))
        .SingleOrDefault();

    // "some avg10=0.00 avg60=0.00 avg300=0.00 total=MICROSECONDS"; a kernel without it tells of no shortage.
    private static TimeSpan Stalled() => File.Exists("/proc/pressure/cpu")
        ? TimeSpan.FromMicroseconds(long.Parse(File.ReadLines("/proc/pressure/cpu").First().Split("total=")[1], CultureInfo.InvariantCulture))
        : TimeSpan.Zero;
}
