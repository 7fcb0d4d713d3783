using System.Collections.Concurrent;
using MmCluster.Engine;
using MmCluster.Engine.Encoders;
using MmCluster.Gateway.Models;

namespace MmCluster.Gateway.Metrics;

/// <summary>What a gateway counts, by model, under this field's names (vLLM's stems, our prefix). Safe to call from any thread.</summary>
internal sealed class GatewayMetrics(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, ModelMetrics> _models = new();

    /// <summary>Starts measuring a request of <paramref name="model"/>; disposing ends it.</summary>
    public RequestMeter Begin(string model) => new(_models.GetOrAdd(model, static _ => new ModelMetrics()), time);

    /// <summary>All series of <paramref name="served"/>; the scheduler's only where the engine is in this process.</summary>
    public void Render(IReadOnlyList<IServedModel> served, PrometheusText text)
    {
        Series[] series = [.. served.Select(model => new Series(
            PrometheusText.Label("model", model.Id), model.Waiting, _models.GetOrAdd(model.Id, static _ => new ModelMetrics()), model.Statistics, model.Encoders))];
        Gauge("mm:num_requests_running", "Sequences being computed; where the engine is elsewhere, requests that were passed on to it.", row => row.Running);
        Gauge("mm:num_requests_waiting", "Requests that wait here, and sequences that wait for a slot.", row => row.Waiting + (row.Engine?.Waiting ?? 0));
        Gauge("mm:kv_cache_usage_perc", "Share of KV cache blocks in use, 0 to 1.", row => row.Engine?.KvCacheUsage);
        Counter("mm:prompt_tokens_total", "Prompt tokens of finished requests.", row => row.Front.PromptTokens);
        Counter("mm:generation_tokens_total", "Tokens generated.", row => row.Front.GenerationTokens);
        Counter("mm:prefix_cache_queries_total", "Prompt tokens looked up in the prefix cache.", row => row.Engine?.PrefixCacheQueries);
        Counter("mm:prefix_cache_hits_total", "Prompt tokens found there.", row => row.Engine?.PrefixCacheHits ?? row.Front.CachedTokens);
        Counter("mm:encoder_cache_queries_total", "Media items whose features were asked for.", row => row.Encoders?.Queries);
        Counter("mm:encoder_cache_hits_total", "Of those, how many were kept or in work already.", row => row.Encoders?.Hits);
        Gauge("mm:encoder_cache_idle_bytes", "Features kept that no request holds.", row => row.Encoders?.IdleBytes);
        Counter("mm:num_preemptions_total", "Sequences that gave their place to others.", row => row.Engine?.Preemptions);
        text.Begin("mm:request_success_total", "counter", "Choices that ended, by reason.");
        foreach (Series row in series)
        {
            foreach ((string reason, long count) in row.Front.Finished)
            {
                text.Sample("mm:request_success_total", $"{row.Labels},finished_reason=\"{reason}\"", count);
            }
        }
        Buckets("mm:time_to_first_token_seconds", "From arrival to the first token.", metrics => metrics.TimeToFirstToken);
        Buckets("mm:inter_token_latency_seconds", "Between a choice's tokens.", metrics => metrics.InterTokenLatency);
        Buckets("mm:e2e_request_latency_seconds", "From arrival to the end.", metrics => metrics.EndToEnd);

        void Gauge(string name, string help, Func<Series, double?> value) => Scalar(name, "gauge", help, value);

        void Counter(string name, string help, Func<Series, double?> value) => Scalar(name, "counter", help, value);

        void Scalar(string name, string type, string help, Func<Series, double?> value)
        {
            text.Begin(name, type, help);
            foreach (Series row in series)
            {
                if (value(row) is { } known)
                {
                    text.Sample(name, row.Labels, known);
                }
            }
        }

        void Buckets(string name, string help, Func<ModelMetrics, Histogram> histogram)
        {
            text.Begin(name, "histogram", help);
            foreach (Series row in series)
            {
                histogram(row.Front).Render(text, name, row.Labels);
            }
        }
    }

    private readonly record struct Series(string Labels, int Waiting, ModelMetrics Front, EngineStatistics? Engine, EncoderStatistics? Encoders)
    {
        // A request that was just let in may be counted as waiting still.
        public long Running => Engine?.Running ?? Math.Max(0, Front.InFlight - Waiting);
    }
}
