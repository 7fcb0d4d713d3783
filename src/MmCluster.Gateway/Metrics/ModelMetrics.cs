using MmCluster.Engine;

namespace MmCluster.Gateway.Metrics;

/// <summary>One model's counters. Safe to call from any thread.</summary>
internal sealed class ModelMetrics
{
    // vLLM's bucket bounds, in seconds.
    private static readonly double[] FirstTokenBounds =
        [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160];

    private static readonly double[] InterTokenBounds =
        [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];

    private static readonly double[] RequestBounds =
        [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920];

    private readonly long[] _finished = new long[Enum.GetValues<FinishReason>().Length];
    private long _inFlight;
    private long _promptTokens;
    private long _generationTokens;
    private long _cachedTokens;

    /// <summary>Requests begun and not ended, those that wait included.</summary>
    public long InFlight => Interlocked.Read(ref _inFlight);

    public long PromptTokens => Interlocked.Read(ref _promptTokens);

    public long GenerationTokens => Interlocked.Read(ref _generationTokens);

    public long CachedTokens => Interlocked.Read(ref _cachedTokens);

    public IEnumerable<(string Reason, long Count)> Finished =>
        Enum.GetValues<FinishReason>().Select(reason => (Name(reason), Interlocked.Read(ref _finished[(int)reason])));

    public Histogram TimeToFirstToken { get; } = new(FirstTokenBounds);

    public Histogram InterTokenLatency { get; } = new(InterTokenBounds);

    public Histogram EndToEnd { get; } = new(RequestBounds);

    public void Begin() => Interlocked.Increment(ref _inFlight);

    public void End() => Interlocked.Decrement(ref _inFlight);

    public void Count(in SequenceOutput output, bool countPrompt)
    {
        Interlocked.Add(ref _generationTokens, output.TokenIds.Length);
        if (countPrompt && output.Usage is { } usage)
        {
            Interlocked.Add(ref _promptTokens, usage.PromptTokens);
            Interlocked.Add(ref _cachedTokens, usage.CachedTokens);
        }
        if (output.Finish is { } finish)
        {
            Interlocked.Increment(ref _finished[(int)finish]);
        }
    }

    // vLLM calls a cancelled request "abort".
    private static string Name(FinishReason reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        FinishReason.Cancelled => "abort",
        _ => "error",
    };
}
