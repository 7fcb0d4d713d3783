using Microsoft.AspNetCore.Http;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Admission;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Keys;
using MmCluster.Gateway.Metrics;
using MmCluster.Gateway.Models;
using MmCluster.Models;

namespace MmCluster.Gateway.OpenAi;

/// <summary>
/// What /v1/completions and /v1/chat/completions share: read the request, run it, answer whole or as a stream of events. Errors before
/// the first byte are an HTTP status; later ones are an event in OpenAI's shape, after which the stream closes.
/// </summary>
internal abstract class GenerationEndpoint(BodyMemory memory, GatewayOptions options, GatewayMetrics metrics, TimeProvider time)
{
    /// <summary>Handles one request.</summary>
    public async Task HandleAsync(HttpContext http)
    {
        try
        {
            using JsonBody body = await JsonBody.ReadAsync(http, memory);
            await AnswerAsync(http, new FieldReader(body.Root, ""));
        }
        catch (Exception error) when (!http.Response.HasStarted)
        {
            await ErrorBody.WriteAsync(http, MmException.From(error));
        }
    }

    /// <summary>Ids begin with this.</summary>
    protected abstract string IdPrefix { get; }

    /// <summary>What fields the request leaves open become, over the model's own defaults.</summary>
    protected abstract SamplingParameters Defaults(SamplingParameters model);

    /// <summary>The inputs of a request; each gets its own choices.</summary>
    protected abstract ValueTask<IReadOnlyList<ModelInput>> ReadInputsAsync(FieldReader fields, Caller caller, CancellationToken cancellationToken);

    /// <summary>Writes answers in this endpoint's form.</summary>
    protected abstract AnswerWriter Writer(string id, string model, long created, bool returnTokenIds, Func<int, string> tokenText);

    private async Task AnswerAsync(HttpContext http, FieldReader fields)
    {
        Caller caller = Caller.Of(http);
        DateTimeOffset? deadline = options.RequestTimeout is { } timeout ? time.GetUtcNow() + timeout : null;
        IServedModel model = caller.Models.Find(fields.String("model"));
        SamplingParameters sampling = SamplingReader.Read(fields, Defaults(model.DefaultSampling), DrawSeed);
        IReadOnlyList<ModelInput> inputs = await ReadInputsAsync(fields, caller, http.RequestAborted);
        string id = RequestId(http);
        bool stream = fields.Bool("stream");
        bool includeUsage = IncludeUsage(fields, stream);
        int priority = fields.Int("priority", int.MinValue, int.MaxValue) ?? 0;
        string salt = fields.String("cache_salt") ?? "";
        string revision = fields.String("revision") ?? "";
        Revisions.Check(revision, model);
        ModelRequest[] requests = [.. inputs.Select((input, index) => new ModelRequest
        {
            Id = inputs.Count == 1 ? id : $"{id}-{index}",
            Input = input,
            Sampling = sampling,
            OutputMedia = [],
            Priority = priority,
            CacheSalt = salt,
            Revision = revision,
            Deadline = deadline,
        })];
        AnswerWriter writer = Writer(
            id, model.Id, time.GetUtcNow().ToUnixTimeSeconds(), fields.Bool("return_token_ids"), model.TokenText);
        http.Response.Headers["X-Request-Id"] = id;
        using RequestMeter meter = metrics.Begin(model.Id);
        IAsyncEnumerable<SequenceOutput> outputs = GenerationFanOut.RunAsync(model, requests, sampling.Choices, http.RequestAborted);
        if (stream)
        {
            await EventStream.WriteAsync(http, writer, SlowClient.BufferAsync(outputs, time, Abandon, http.RequestAborted), includeUsage, meter);
        }
        else
        {
            await WholeAnswer.WriteAsync(http, writer, outputs, inputs.Count * sampling.Choices, meter);
        }

        void Abandon()
        {
            caller.Reject(Rejection.SlowClient);
            http.Abort();
        }
    }

    private static bool IncludeUsage(FieldReader fields, bool stream) => fields.Object("stream_options") switch
    {
        null => false,
        { } options when stream => options.Bool("include_usage"),
        _ => throw FieldReader.Invalid("stream_options", "'stream_options' needs 'stream': true"),
    };

    // A caller's own id is kept, so that its logs and ours can be joined.
    private string RequestId(HttpContext http)
    {
        string? given = http.Request.Headers["X-Request-Id"];
        return given is { Length: > 0 and <= 128 } && given.All(c => c is > ' ' and < (char)127)
            ? given
            : $"{IdPrefix}{Guid.NewGuid():N}";
    }

    private static ulong DrawSeed() => unchecked((ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue));
}
