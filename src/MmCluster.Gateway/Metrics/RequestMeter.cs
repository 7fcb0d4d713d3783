using MmCluster.Engine;

namespace MmCluster.Gateway.Metrics;

/// <summary>Times one request. Not thread-safe: its answer's writer owns it.</summary>
internal sealed class RequestMeter : IDisposable
{
    private readonly ModelMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly Dictionary<int, long> _lastToken = [];
    private readonly HashSet<string> _prompts = [];

    public RequestMeter(ModelMetrics metrics, TimeProvider time)
    {
        (_metrics, _time, _start) = (metrics, time, time.GetTimestamp());
        metrics.Begin();
    }

    public void Count(in SequenceOutput output)
    {
        // All choices of a prompt tell its length; it was read once.
        _metrics.Count(output, countPrompt: output.Usage is not null && _prompts.Add(output.RequestId));
        if (output.TokenIds.Length == 0)
        {
            return;
        }
        long now = _time.GetTimestamp();
        if (_lastToken.TryGetValue(output.Choice, out long last))
        {
            _metrics.InterTokenLatency.Observe(_time.GetElapsedTime(last, now).TotalSeconds / output.TokenIds.Length);
        }
        else
        {
            _metrics.TimeToFirstToken.Observe(_time.GetElapsedTime(_start, now).TotalSeconds);
        }
        _lastToken[output.Choice] = now;
    }

    public void Dispose()
    {
        _metrics.EndToEnd.Observe(_time.GetElapsedTime(_start).TotalSeconds);
        _metrics.End();
    }
}
