using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Metrics;
using MmCluster.Gateway.Models;

namespace MmCluster.Gateway.OpenAi;

/// <summary>POST /v1/chat/completions.</summary>
internal sealed class ChatCompletionsEndpoint(ServedModels models, GatewayOptions options, GatewayMetrics metrics, TimeProvider time)
    : GenerationEndpoint(models, options, metrics, time)
{
    private readonly long _maxMediaBytes = options.MaxRequestBytes;

    protected override string IdPrefix => "chatcmpl-";

    protected override SamplingParameters Defaults(SamplingParameters model) => model;

    protected override AnswerWriter Writer(string id, string model, long created, bool returnTokenIds, Func<int, string> tokenText) =>
        new ChatWriter(id, model, created, returnTokenIds, tokenText);

    protected override IReadOnlyList<ModelInput> ReadInputs(FieldReader fields) =>
        [new ChatMessageReader(new MediaUrlReader(_maxMediaBytes)).Read(fields)];
}
