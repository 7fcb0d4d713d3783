using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Admission;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Keys;
using MmCluster.Gateway.Media;
using MmCluster.Gateway.Metrics;
using MmCluster.Gateway.Models;
using MmCluster.Gateway.OpenAi;
using MmCluster.Gateway.Uploads;
using MmCluster.Models;
using MmCluster.Protos.V1;
using Modality = MmCluster.Protos.V1.Modality;

namespace MmCluster.Gateway.Grpc;

/// <summary>
/// mmcluster.v1.Generation over the served models. A failure before the first event is the call's status; a later one is an event of finish
/// ERROR for its choice, and the status once all choices have ended.
/// </summary>
internal sealed class GenerationService(
    GatewayOptions options, GatewayMetrics metrics, UploadStore uploads, MediaFetcher fetcher, TimeProvider time) : Generation.GenerationBase
{
    private const int MaxEncoded = 64;

    public override async Task Generate(GenerateRequest request, IServerStreamWriter<GenerateEvent> responseStream, ServerCallContext context)
    {
        HttpContext http = context.GetHttpContext();
        Caller caller = Caller.Of(http);
        IServedModel model = caller.Models.Find(request.Model.Length == 0 ? null : request.Model);
        DateTimeOffset? deadline = CallDeadline.Of(context, request.Deadline, options.RequestTimeout, time);
        var media = new MediaSourceReader(uploads, fetcher, new MediaBudget(options.MaxRequestBytes), caller);
        ModelRequest generation = await RequestReader.ReadAsync(request, model, media, deadline, context.CancellationToken);
        using RequestMeter meter = metrics.Begin(model.Id);
        var events = new EventWriter(generation.Id, request.ReturnTokenIds);
        bool begun = false;
        MmException? failure = null;
        IAsyncEnumerable<SequenceOutput> outputs = model.GenerateAsync(generation, context.CancellationToken);
        await foreach (SequenceOutput output in SlowClient.BufferAsync(outputs, time, Abandon, context.CancellationToken))
        {
            meter.Count(output);
            failure ??= output.Error;
            if (output.Error is { } early && !begun)
            {
                throw early;
            }
            begun = true;
            await responseStream.WriteAsync(events.Of(output));
        }
        if (failure is not null)
        {
            throw failure;
        }

        void Abandon()
        {
            caller.Reject(Rejection.SlowClient);
            http.Abort();
        }
    }

    public override async Task<EncodeResponse> Encode(EncodeRequest request, ServerCallContext context)
    {
        Caller caller = Caller.Of(context.GetHttpContext());
        IServedModel model = caller.Models.Find(request.Model.Length == 0 ? null : request.Model);
        Revisions.Check(request.Revision, model);
        if (request.Media.Count is 0 or > MaxEncoded)
        {
            throw FieldReader.Invalid("media", $"'media' must have 1 to {MaxEncoded} items");
        }
        var media = new MediaSourceReader(uploads, fetcher, new MediaBudget(options.MaxRequestBytes), caller);
        ChatPart.Media[] items = [.. request.Media.Select((source, index) => new ChatPart.Media(media.Read(source, $"media[{index}]")))];
        if (Array.Find(items, item => item.Item.IsFeatures) is { } encoded)
        {
            throw FieldReader.Invalid(encoded.Item.Name, $"'{encoded.Item.Name}' has features already; there is nothing to encode");
        }
        ModelInput.Chat complete = await media.CompleteAsync(new ModelInput.Chat([new ChatTurn("user", items)]), context.CancellationToken);
        EncodedMedia[] features = await Task.WhenAll(complete.Turns[0].Parts
            .Select(part => model.EncodeAsync(((ChatPart.Media)part).Item, request.Revision, context.CancellationToken)));
        return new EncodeResponse
        {
            Features = { features.Select(item => new TensorData { Dtype = "F32", Shape = { item.Positions, item.Width }, Data = UnsafeByteOperations.UnsafeWrap(item.Values) }) },
        };
    }

    public override async Task<UploadResponse> Upload(IAsyncStreamReader<UploadChunk> requestStream, ServerCallContext context)
    {
        var receiver = new UploadReceiver(uploads, options.MaxRequestBytes, time);
        Upload upload = await receiver.ReceiveAsync(requestStream, Caller.Of(context.GetHttpContext()).Tenant, context.CancellationToken);
        return new UploadResponse
        {
            UploadId = upload.Id,
            Bytes = upload.Bytes.Length,
            Sha256 = ByteString.CopyFrom(System.Security.Cryptography.SHA256.HashData(upload.Bytes.Span)),
            Expires = upload.Expires.ToTimestamp(),
        };
    }

    public override Task<ListModelsResponse> ListModels(ListModelsRequest request, ServerCallContext context)
    {
        var response = new ListModelsResponse();
        foreach (IServedModel model in Caller.Of(context.GetHttpContext()).Models.All)
        {
            response.Models.Add(new Model
            {
                Name = model.Id,
                Revision = model.Revision,
                Revisions = { model.Revisions },
                Ready = model.Ready,
                MaxModelLength = model.Info.MaxModelLength,
                VocabularySize = model.Info.VocabularySize,
                Inputs = { Modality.Text, model.Info.Media.Select(ModalityMessage.Of) },
                Outputs = { Modality.Text, model.Info.Outputs.Select(ModalityMessage.Of) },
            });
        }
        return Task.FromResult(response);
    }
}
