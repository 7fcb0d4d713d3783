using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace MmCluster.Gateway.Metrics;

/// <summary>
/// What this process' meters named <c>MmCluster.*</c> tell, as Prometheus text: counters, observed gauges, and histograms of seconds. Instruments below the
/// gateway are made so that nothing there knows of Prometheus. Safe to call from any thread.
/// </summary>
public sealed class MeterText : IDisposable
{
    private static readonly double[] SecondsBounds = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<Instrument, ConcurrentDictionary<string, object>> _series = new();

    /// <summary>Begins to count.</summary>
    public MeterText()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name.StartsWith("MmCluster.", StringComparison.Ordinal))
            {
                _series.TryAdd(instrument, new ConcurrentDictionary<string, object>(StringComparer.Ordinal));
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            var count = (Count)Of(instrument, tags, () => new Count());
            if (instrument.IsObservable)
            {
                count.Set(value);
            }
            else
            {
                count.Add(value);
            }
        });
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => ((Histogram)Of(instrument, tags, () => new Histogram(SecondsBounds))).Observe(value));
        _listener.Start();
    }

    /// <summary>All series.</summary>
    internal void Render(PrometheusText text)
    {
        _listener.RecordObservableInstruments();
        foreach ((Instrument instrument, ConcurrentDictionary<string, object> series) in _series.OrderBy(one => one.Key.Name, StringComparer.Ordinal))
        {
            string type = instrument.IsObservable ? "gauge" : instrument is Counter<long> ? "counter" : "histogram";
            text.Begin(instrument.Name, type, instrument.Description ?? "");
            foreach ((string labels, object value) in series)
            {
                if (value is Histogram histogram)
                {
                    histogram.Render(text, instrument.Name, labels);
                }
                else
                {
                    text.Sample(instrument.Name, labels, ((Count)value).Value);
                }
            }
        }
    }

    /// <summary>Stops counting.</summary>
    public void Dispose() => _listener.Dispose();

    private object Of(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags, Func<object> create)
    {
        var labels = new List<string>(tags.Length);
        foreach ((string key, object? value) in tags)
        {
            labels.Add(PrometheusText.Label(key, value?.ToString() ?? ""));
        }
        return _series[instrument].GetOrAdd(string.Join(',', labels), _ => create());
    }

    private sealed class Count
    {
        private long _value;

        public long Value => Interlocked.Read(ref _value);

        public void Add(long value) => Interlocked.Add(ref _value, value);

        public void Set(long value) => Interlocked.Exchange(ref _value, value);
    }
}
