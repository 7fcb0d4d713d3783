using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Admission;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Keys;
using MmCluster.Gateway.Media;
using MmCluster.Gateway.Metrics;

namespace MmCluster.Gateway.OpenAi;

/// <summary>POST /v1/chat/completions.</summary>
internal sealed class ChatCompletionsEndpoint(
    MediaFetcher fetcher, BodyMemory memory, GatewayOptions options, GatewayMetrics metrics, TimeProvider time)
    : GenerationEndpoint(memory, options, metrics, time)
{
    private readonly long _maxMediaBytes = options.MaxRequestBytes;

    protected override string IdPrefix => "chatcmpl-";

    protected override SamplingParameters Defaults(SamplingParameters model) => model;

    protected override AnswerWriter Writer(string id, string model, long created, bool returnTokenIds, Func<int, string> tokenText) =>
        new ChatWriter(id, model, created, returnTokenIds, tokenText);

    protected override async ValueTask<IReadOnlyList<ModelInput>> ReadInputsAsync(
        FieldReader fields, Caller caller, CancellationToken cancellationToken)
    {
        var budget = new MediaBudget(_maxMediaBytes);
        var remote = new RemoteMedia(fetcher, budget, () => caller.Reject(Rejection.Media));
        ModelInput.Chat chat = new ChatMessageReader(new MediaUrlReader(budget, remote)).Read(fields);
        return [await remote.FillAsync(chat, cancellationToken)];
    }
}
