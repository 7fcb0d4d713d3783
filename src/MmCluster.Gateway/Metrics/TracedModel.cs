using System.Diagnostics;
using System.Runtime.CompilerServices;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Models;

namespace MmCluster.Gateway.Metrics;

/// <summary>A span a generation, under the caller's own trace where it sent one. Without a listener it costs a null check; prompts and answers are never in it.</summary>
internal sealed class TracedModel(IServedModel inner) : DelegatingModel(inner)
{
    public const string SourceName = "MmCluster.Gateway";

    private static readonly ActivitySource Source = new(SourceName);

    public override IAsyncEnumerable<SequenceOutput> GenerateAsync(ModelRequest request, CancellationToken cancellationToken) =>
        Source.HasListeners() ? TraceAsync(request, cancellationToken) : Inner.GenerateAsync(request, cancellationToken);

    private async IAsyncEnumerable<SequenceOutput> TraceAsync(ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using Activity? span = Source.StartActivity($"generate {Id}", ActivityKind.Internal);
        span?.SetTag("gen_ai.request.model", Id).SetTag("mm.request_id", request.Id).SetTag("mm.tenant", request.Tenant);
        int tokens = 0;
        await foreach (SequenceOutput output in Inner.GenerateAsync(request, cancellationToken))
        {
            if (tokens == 0 && output.TokenIds.Length > 0)
            {
                span?.AddEvent(new ActivityEvent("first token"));
            }
            tokens += output.TokenIds.Length;
            if (output.Usage is { } usage)
            {
                span?.SetTag("gen_ai.usage.input_tokens", usage.PromptTokens).SetTag("gen_ai.usage.output_tokens", tokens);
            }
            if (output.Error is { } error)
            {
                span?.SetStatus(ActivityStatusCode.Error, error.Code.ToString());
            }
            yield return output;
        }
    }
}
