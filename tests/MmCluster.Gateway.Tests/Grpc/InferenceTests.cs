using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Inference;
using MmCluster.Engine.Hosting;
using static Inference.ModelInferRequest.Types;

namespace MmCluster.Gateway.Tests.Grpc;

public sealed class InferenceTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Server_and_model_tell_of_themselves()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel { Ready = false });
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(gateway.Channel);
        Assert.True((await client.ServerLiveAsync(new(), cancellationToken: Stop)).Live);
        Assert.False((await client.ServerReadyAsync(new(), cancellationToken: Stop)).Ready);
        Assert.False((await client.ModelReadyAsync(new ModelReadyRequest { Name = "echo" }, cancellationToken: Stop)).Ready);
        Assert.Equal("mmcluster", (await client.ServerMetadataAsync(new(), cancellationToken: Stop)).Name);
        ModelMetadataResponse metadata = await client.ModelMetadataAsync(new ModelMetadataRequest { Name = "echo", Version = "1" }, cancellationToken: Stop);
        Assert.Contains("text_input", metadata.Inputs.Select(input => input.Name));
        Assert.DoesNotContain("image", metadata.Inputs.Select(input => input.Name)); // this model takes text only
        Assert.Contains("text_output", metadata.Outputs.Select(output => output.Name));
        RpcException error = await Assert.ThrowsAsync<RpcException>(
            () => client.ModelReadyAsync(new ModelReadyRequest { Name = "echo", Version = "2" }, cancellationToken: Stop).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, error.StatusCode);
    }

    [Fact]
    public async Task Typed_contents_are_answered_with_typed_contents()
    {
        var model = new EchoModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        ModelInferRequest request = Ask("a b c");
        request.Id = "7";
        request.Inputs.Add(new InferInputTensor { Name = "max_tokens", Datatype = "INT32", Shape = { 1, 1 }, Contents = new InferTensorContents { IntContents = { 2 } } });
        request.Inputs.Add(new InferInputTensor { Name = "temperature", Datatype = "FP32", Shape = { 1 }, Contents = new InferTensorContents { Fp32Contents = { 0.1f } } });
        request.Inputs.Add(Bytes("stop_words", "x", "y"));
        request.Parameters["top_k"] = new InferParameter { Int64Param = 5 };
        request.Parameters["random_seed"] = new InferParameter { Uint64Param = ulong.MaxValue };
        ModelInferResponse response = await InferAsync(gateway, request);
        Assert.Equal(("echo", "7"), (response.ModelName, response.Id));
        Assert.Equal("a b ", Output(response, "text_output").Contents.BytesContents[0].ToStringUtf8());
        Assert.Equal("stop", Output(response, "finish_reason").Contents.BytesContents[0].ToStringUtf8());
        Assert.Equal(2u, Output(response, "num_output_tokens").Contents.UintContents[0]);
        Assert.Empty(response.RawOutputContents);
        MmCluster.Engine.SamplingParameters seen = Assert.Single(model.Seen).Sampling;
        Assert.Equal((2, 0.1f, 5, ulong.MaxValue), (seen.MaxTokens, seen.Temperature, seen.TopK, seen.Seed));
        Assert.Equal(["x", "y"], seen.Stop);
    }

    [Fact]
    public async Task Raw_contents_are_answered_with_raw_contents()
    {
        var model = new EchoModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        var request = new ModelInferRequest { ModelName = "echo", Outputs = { new InferRequestedOutputTensor { Name = "text_output" } } };
        AddRaw(request, "text_input", "BYTES", Element("a b c"));
        AddRaw(request, "sampling_parameters", "BYTES", Element("""{"max_tokens":"1","top_p":0.5,"stop":"z"}"""));
        AddRaw(request, "exclude_input_in_output", "BOOL", [0]);
        AddRaw(request, "seed", "UINT64", [9, 0, 0, 0, 0, 0, 0, 0]);
        ModelInferResponse response = await InferAsync(gateway, request);
        Assert.Equal("text_output", Assert.Single(response.Outputs).Name);
        Assert.Equal(Element("a b ca "), Assert.Single(response.RawOutputContents).ToByteArray());
        MmCluster.Engine.SamplingParameters seen = Assert.Single(model.Seen).Sampling;
        Assert.Equal((1, 0.5f, 9ul), (seen.MaxTokens, seen.TopP, seen.Seed));
        Assert.Equal(["z"], seen.Stop);
    }

    [Fact]
    public async Task Pictures_come_as_bytes_or_as_base64()
    {
        var model = new EchoModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        ModelInferRequest request = Ask("what?");
        request.Inputs.Add(new InferInputTensor
        {
            Name = "image",
            Datatype = "BYTES",
            Shape = { 2 },
            Contents = new InferTensorContents
            {
                BytesContents = { ByteString.CopyFrom(GenerateTests.Picture), ByteString.CopyFromUtf8(Convert.ToBase64String(GenerateTests.Picture)) },
            },
        });
        await InferAsync(gateway, request);
        var chat = (ModelInput.Chat)Assert.Single(model.Seen).Input;
        Assert.Equal(2, chat.Turns[0].Parts.OfType<ChatPart.Media>().Count(part => part.Item.Bytes.Span.SequenceEqual(GenerateTests.Picture)));
        Assert.Equal("what?", Assert.IsType<ChatPart.Text>(chat.Turns[0].Parts[^1]).Value);
    }

    public static TheoryData<string, string> BadRequests => new()
    {
        { """{"modelName":"other","inputs":[]}""", "model" },
        { """{"modelName":"echo"}""", "text_input" },
        { """{"modelName":"echo","inputs":[{"name":"text_input","datatype":"FP32","shape":[1]}]}""", "text_input" },
        { """{"modelName":"echo","inputs":[{"name":"text_input","datatype":"BYTES","shape":[2],"contents":{"bytesContents":["YQ=="]}}]}""", "text_input" },
        { """{"modelName":"echo","inputs":[{"name":"text_input","datatype":"BYTES","shape":[-1]}]}""", "text_input" },
        { """{"modelName":"echo","inputs":[{"name":"text_input","datatype":"BYTES","shape":[1],"contents":{"bytesContents":["/w=="]}}]}""", "text_input" },
        { """{"modelName":"echo","inputs":[{"name":"text_input","datatype":"BYTES","shape":[1]}],"rawInputContents":["/////w=="]}""", "text_input" },
        { """{"modelName":"echo","inputs":[{"name":"text_input","datatype":"BYTES","shape":[1]}],"rawInputContents":["",""]}""", "raw_input_contents" },
        { """{"modelName":"echo","inputs":[{"name":"a","datatype":"BOOL"},{"name":"a","datatype":"BOOL"}]}""", "a" },
        { """{"modelName":"echo","inputs":[{"name":"top_p","datatype":"FP32","shape":[1],"contents":{"fp32Contents":["NaN"]}}]}""", "top_p" },
        { """{"modelName":"echo","inputs":[{"name":"text_input","datatype":"BYTES","shape":[1],"contents":{"bytesContents":["YQ=="]}}],"parameters":{"temperature":{"doubleParam":9}}}""", "temperature" },
        { """{"modelName":"echo","inputs":[{"name":"text_input","datatype":"BYTES","shape":[1],"contents":{"bytesContents":["YQ=="]}}],"outputs":[{"name":"nothing"}]}""", "outputs" },
        { """{"modelName":"echo","inputs":[{"name":"sampling_parameters","datatype":"BYTES","shape":[1],"contents":{"bytesContents":["ew=="]}}]}""", "sampling_parameters" },
    };

    [Theory, MemberData(nameof(BadRequests))]
    public async Task A_bad_tensor_is_named(string json, string param)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => InferAsync(gateway, JsonParser.Default.Parse<ModelInferRequest>(json)));
        Assert.Equal(param == "model" ? StatusCode.NotFound : StatusCode.InvalidArgument, error.StatusCode);
        Assert.Equal(param, error.Trailers.GetValue("mm-param"));
    }

    [Fact]
    public async Task A_stream_answers_each_request_under_its_id_and_survives_a_bad_one()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        using AsyncDuplexStreamingCall<ModelInferRequest, ModelStreamInferResponse> call =
            new GRPCInferenceService.GRPCInferenceServiceClient(gateway.Channel).ModelStreamInfer(cancellationToken: Stop);
        ModelInferRequest streamed = Ask("a b c");
        streamed.Id = "streamed";
        streamed.Parameters["stream"] = new InferParameter { BoolParam = true };
        ModelInferRequest whole = Ask("d e");
        whole.Id = "whole";
        await call.RequestStream.WriteAsync(streamed, Stop);
        await call.RequestStream.WriteAsync(new ModelInferRequest { ModelName = "echo", Id = "bad" }, Stop);
        await call.RequestStream.WriteAsync(whole, Stop);
        await call.RequestStream.CompleteAsync();
        var answers = new List<ModelStreamInferResponse>();
        while (await call.ResponseStream.MoveNext(Stop))
        {
            answers.Add(call.ResponseStream.Current);
        }
        Assert.Equal(["a ", "b ", "c "], Texts("streamed"));
        Assert.Equal(["d e "], Texts("whole"));
        Assert.Equal([false, false, true], Of("streamed").Select(answer => answer.InferResponse.Parameters["triton_final_response"].BoolParam));
        Assert.Contains("text_input", Assert.Single(Of("bad")).ErrorMessage, StringComparison.Ordinal);

        IEnumerable<ModelStreamInferResponse> Of(string id) => answers.Where(answer => answer.InferResponse.Id == id);
        IEnumerable<string> Texts(string id) => Of(id).Select(answer => Output(answer.InferResponse, "text_output").Contents.BytesContents[0].ToStringUtf8());
    }

    [Fact]
    public async Task A_stream_that_is_cancelled_frees_its_work()
    {
        var model = new EchoModel { HangAt = 0 };
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        using AsyncDuplexStreamingCall<ModelInferRequest, ModelStreamInferResponse> call =
            new GRPCInferenceService.GRPCInferenceServiceClient(gateway.Channel).ModelStreamInfer(cancellationToken: Stop);
        await call.RequestStream.WriteAsync(Ask("a"), Stop);
        await model.Hanging.Task.WaitAsync(Stop);
        call.Dispose();
        await model.Freed.Task.WaitAsync(Stop);
    }

    private static async Task<ModelInferResponse> InferAsync(TestGateway gateway, ModelInferRequest request) =>
        await new GRPCInferenceService.GRPCInferenceServiceClient(gateway.Channel).ModelInferAsync(request, cancellationToken: Stop);

    private static ModelInferRequest Ask(string prompt) => new() { ModelName = "echo", Inputs = { Bytes("text_input", prompt) } };

    private static InferInputTensor Bytes(string name, params string[] texts) => new()
    {
        Name = name,
        Datatype = "BYTES",
        Shape = { texts.Length },
        Contents = new InferTensorContents { BytesContents = { texts.Select(ByteString.CopyFromUtf8) } },
    };

    private static void AddRaw(ModelInferRequest request, string name, string datatype, byte[] raw)
    {
        request.Inputs.Add(new InferInputTensor { Name = name, Datatype = datatype, Shape = { 1 } });
        request.RawInputContents.Add(ByteString.CopyFrom(raw));
    }

    private static byte[] Element(string text) => [(byte)text.Length, 0, 0, 0, .. Encoding.UTF8.GetBytes(text)];

    private static ModelInferResponse.Types.InferOutputTensor Output(ModelInferResponse response, string name) =>
        response.Outputs.Single(output => output.Name == name);
}
