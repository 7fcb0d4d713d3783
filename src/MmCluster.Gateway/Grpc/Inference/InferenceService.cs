using System.Reflection;
using System.Threading.Channels;
using Grpc.Core;
using Inference;
using MmCluster.Engine;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Keys;
using MmCluster.Gateway.Media;
using MmCluster.Gateway.Metrics;
using MmCluster.Gateway.Models;
using MmCluster.Gateway.OpenAi;
using MmCluster.Gateway.Uploads;
using MmCluster.Models;
using static Inference.ModelMetadataResponse.Types;

namespace MmCluster.Gateway.Grpc.Inference;

/// <summary>
/// KServe's Open Inference Protocol v2 for text generation, and Triton's ModelStreamInfer. Requests of one stream run side by side and their
/// answers carry their ids; a request that fails is an error message and the stream goes on.
/// </summary>
internal sealed class InferenceService(
    ServedModels models, GatewayOptions options, GatewayMetrics metrics, UploadStore uploads, MediaFetcher fetcher, TimeProvider time)
    : GRPCInferenceService.GRPCInferenceServiceBase
{
    private const string Version = "1"; // a served model has one
    private const int MaxRunningPerStream = 64;
    private const string FinalResponse = "triton_final_response";

    public override Task<ServerLiveResponse> ServerLive(ServerLiveRequest request, ServerCallContext context) =>
        Task.FromResult(new ServerLiveResponse { Live = true });

    public override Task<ServerReadyResponse> ServerReady(ServerReadyRequest request, ServerCallContext context) =>
        Task.FromResult(new ServerReadyResponse { Ready = models.Ready });

    public override Task<ModelReadyResponse> ModelReady(ModelReadyRequest request, ServerCallContext context) =>
        Task.FromResult(new ModelReadyResponse { Ready = Find(context, request.Name, request.Version, "name", "version").Ready });

    public override Task<ServerMetadataResponse> ServerMetadata(ServerMetadataRequest request, ServerCallContext context) =>
        Task.FromResult(new ServerMetadataResponse
        {
            Name = "mmcluster",
            Version = typeof(InferenceService).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
        });

    public override Task<ModelMetadataResponse> ModelMetadata(ModelMetadataRequest request, ServerCallContext context)
    {
        IServedModel model = Find(context, request.Name, request.Version, "name", "version");
        var response = new ModelMetadataResponse { Name = model.Id, Versions = { Version }, Platform = "mmcluster" };
        response.Inputs.Add(Tensor("text_input", "BYTES", 1));
        if (model.Info.Media.Contains(MmCluster.Models.Cards.Modality.Image))
        {
            response.Inputs.Add(Tensor("image", "BYTES", -1));
        }
        response.Inputs.Add([
            Tensor("stream", "BOOL", 1), Tensor("exclude_input_in_output", "BOOL", 1), Tensor("sampling_parameters", "BYTES", 1),
            Tensor("max_tokens", "INT32", 1), Tensor("temperature", "FP32", 1), Tensor("top_k", "INT32", 1), Tensor("top_p", "FP32", 1),
            Tensor("min_p", "FP32", 1), Tensor("seed", "UINT64", 1), Tensor("stop", "BYTES", -1), Tensor("n", "INT32", 1),
            Tensor("repetition_penalty", "FP32", 1), Tensor("presence_penalty", "FP32", 1), Tensor("frequency_penalty", "FP32", 1),
        ]);
        response.Outputs.Add(InferAnswer.Outputs.Select(output => Tensor(output.Name, output.Datatype, -1)));
        return Task.FromResult(response);
    }

    public override async Task<ModelInferResponse> ModelInfer(ModelInferRequest request, ServerCallContext context)
    {
        (IServedModel model, InferReader infer, InferAnswer answer) = await PrepareAsync(request, context, context.CancellationToken);
        return await WholeAsync(model, infer, answer, context.CancellationToken);
    }

    public override async Task ModelStreamInfer(
        IAsyncStreamReader<ModelInferRequest> requestStream, IServerStreamWriter<ModelStreamInferResponse> responseStream, ServerCallContext context)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        var answers = Channel.CreateBounded<ModelStreamInferResponse>(MaxRunningPerStream);
        Task reading = ReadAsync(requestStream, answers.Writer, context, stop.Token);
        try
        {
            await foreach (ModelStreamInferResponse answer in answers.Reader.ReadAllAsync(stop.Token))
            {
                await responseStream.WriteAsync(answer);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await reading;
        }
    }

    // Ends, and completes the answers, when the client has sent all and each request has ended.
    private async Task ReadAsync(
        IAsyncStreamReader<ModelInferRequest> requests, ChannelWriter<ModelStreamInferResponse> answers, ServerCallContext context, CancellationToken stop)
    {
        using var slots = new SemaphoreSlim(MaxRunningPerStream);
        var running = new List<Task>();
        Exception? failure = null;
        try
        {
            while (await requests.MoveNext(stop))
            {
                await slots.WaitAsync(stop);
                running.RemoveAll(task => task.IsCompleted);
                running.Add(OneAsync(requests.Current, answers, slots, context, stop));
            }
        }
        catch (Exception error)
        {
            failure = error;
        }
        await Task.WhenAll(running);
        answers.TryComplete(failure);
    }

    private async Task OneAsync(
        ModelInferRequest request, ChannelWriter<ModelStreamInferResponse> answers, SemaphoreSlim slots, ServerCallContext context, CancellationToken stop)
    {
        try
        {
            await Task.Yield();
            (IServedModel model, InferReader infer, InferAnswer answer) = await PrepareAsync(request, context, stop);
            if (!infer.Stream)
            {
                await SendAsync(await WholeAsync(model, infer, answer, stop), last: true);
                return;
            }
            if (infer.Request.Sampling.Choices > 1)
            {
                throw FieldReader.Invalid("n", "'n' must be 1 where the answer is streamed");
            }
            string before = infer.Echo ? infer.Prompt : "";
            using RequestMeter meter = metrics.Begin(model.Id);
            await foreach (SequenceOutput output in model.GenerateAsync(infer.Request, stop))
            {
                meter.Count(output);
                if (output.Error is { } error)
                {
                    throw error;
                }
                var piece = new ChoiceText(0);
                piece.Add(output);
                await SendAsync(answer.Of([piece], before), last: output.Finish is not null);
                before = "";
            }
        }
        catch (Exception error)
        {
            if (!stop.IsCancellationRequested)
            {
                var message = new ModelStreamInferResponse
                {
                    ErrorMessage = RpcErrors.MessageOf(MmException.From(error)),
                    InferResponse = new ModelInferResponse { ModelName = request.ModelName, Id = request.Id },
                };
                message.InferResponse.Parameters[FinalResponse] = new InferParameter { BoolParam = true };
                answers.TryWrite(message);
            }
        }
        finally
        {
            slots.Release();
        }

        ValueTask SendAsync(ModelInferResponse response, bool last)
        {
            response.Parameters[FinalResponse] = new InferParameter { BoolParam = last };
            return answers.WriteAsync(new ModelStreamInferResponse { InferResponse = response }, stop);
        }
    }

    private async Task<(IServedModel Model, InferReader Infer, InferAnswer Answer)> PrepareAsync(
        ModelInferRequest request, ServerCallContext context, CancellationToken stop)
    {
        IServedModel model = Find(context, request.ModelName, request.ModelVersion, "model_name", "model_version");
        DateTimeOffset? deadline = CallDeadline.Of(context, null, options.RequestTimeout, time);
        var media = new MediaSourceReader(uploads, fetcher, new MediaBudget(options.MaxRequestBytes), CallerOf(context));
        InferReader infer = await InferReader.ReadAsync(request, model, media, deadline, stop);
        var answer = new InferAnswer(request, model.Id, infer.Raw);
        return answer.Unknown is { } unknown
            ? throw FieldReader.Invalid("outputs", $"there is no output '{unknown}'; there are {string.Join(", ", InferAnswer.Outputs.Select(output => output.Name))}")
            : (model, infer, answer);
    }

    private async Task<ModelInferResponse> WholeAsync(IServedModel model, InferReader infer, InferAnswer answer, CancellationToken stop)
    {
        ChoiceText[] choices = [.. Enumerable.Range(0, infer.Request.Sampling.Choices).Select(index => new ChoiceText(index))];
        using RequestMeter meter = metrics.Begin(model.Id);
        await foreach (SequenceOutput output in model.GenerateAsync(infer.Request, stop))
        {
            meter.Count(output);
            if (output.Error is { } error)
            {
                throw error;
            }
            choices[output.Choice].Add(output);
        }
        return answer.Of(choices, infer.Echo ? infer.Prompt : "");
    }

    private static IServedModel Find(ServerCallContext context, string name, string version, string nameField, string versionField)
    {
        if (name.Length == 0)
        {
            throw FieldReader.Invalid(nameField, $"'{nameField}' is missing");
        }
        IServedModel model = CallerOf(context).Models.Find(name);
        return version is "" or Version
            ? model
            : throw new MmException(MmErrorCode.NotFound, $"{name} has no version '{version}'; it has {Version}") { Param = versionField };
    }

    private static TensorMetadata Tensor(string name, string datatype, long elements) => new() { Name = name, Datatype = datatype, Shape = { elements } };

    private static Caller CallerOf(ServerCallContext context) => Caller.Of(context.GetHttpContext());
}
