using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace MmCluster.Gateway.Metrics;

/// <summary>What a gateway counts, by model, under this field's names (vLLM's stems, our prefix). Safe to call from any thread.</summary>
internal sealed class GatewayMetrics(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, ModelMetrics> _models = new();

    /// <summary>Starts measuring a request of <paramref name="model"/>; disposing ends it.</summary>
    public RequestMeter Begin(string model) => new(_models.GetOrAdd(model, static _ => new ModelMetrics()), time);

    /// <summary>All series as Prometheus text (version 0.0.4).</summary>
    public string Render()
    {
        var text = new StringBuilder();
        KeyValuePair<string, ModelMetrics>[] models = [.. _models.OrderBy(model => model.Key, StringComparer.Ordinal)];
        Scalar("mm:num_requests_running", "gauge", "Requests being answered.", metrics => metrics.Running);
        Scalar("mm:prompt_tokens_total", "counter", "Prompt tokens of finished requests.", metrics => metrics.PromptTokens);
        Scalar("mm:generation_tokens_total", "counter", "Tokens generated.", metrics => metrics.GenerationTokens);
        Scalar("mm:prefix_cache_hits_total", "counter", "Prompt tokens that came from the prefix cache.", metrics => metrics.CachedTokens);
        Header("mm:request_success_total", "counter", "Choices that ended, by reason.");
        foreach ((string model, ModelMetrics metrics) in models)
        {
            foreach ((string reason, long count) in metrics.Finished)
            {
                text.Append(CultureInfo.InvariantCulture, $"mm:request_success_total{{model=\"{model}\",finished_reason=\"{reason}\"}} {count}\n");
            }
        }
        Buckets("mm:time_to_first_token_seconds", "From arrival to the first token.", metrics => metrics.TimeToFirstToken);
        Buckets("mm:inter_token_latency_seconds", "Between a choice's tokens.", metrics => metrics.InterTokenLatency);
        Buckets("mm:e2e_request_latency_seconds", "From arrival to the end.", metrics => metrics.EndToEnd);
        return text.ToString();

        void Header(string name, string type, string help) => text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");

        void Scalar(string name, string type, string help, Func<ModelMetrics, long> value)
        {
            Header(name, type, help);
            foreach ((string model, ModelMetrics metrics) in models)
            {
                text.Append(CultureInfo.InvariantCulture, $"{name}{{model=\"{model}\"}} {value(metrics)}\n");
            }
        }

        void Buckets(string name, string help, Func<ModelMetrics, Histogram> histogram)
        {
            Header(name, "histogram", help);
            foreach ((string model, ModelMetrics metrics) in models)
            {
                histogram(metrics).Render(text, name, $"model=\"{model}\"");
            }
        }
    }
}
