using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using MmCluster.Engine.Hosting;
using MmCluster.Engine.Simulation;
using MmCluster.Gateway.Hosting;
using MmCluster.Protos.V1;

namespace MmCluster.Gateway.Tests.Grpc;

public sealed class GenerateTests
{
    internal static readonly byte[] Picture = [0x89, .. "PNG\r\n"u8, 26, 10, .. "rest"u8];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Text_ids_logprobs_usage_and_finish_come_as_events()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        GenerateEvent[] events = await gateway.GenerateAsync(new GenerateRequest
        {
            RequestId = "mine",
            Text = "a b c",
            ReturnTokenIds = true,
            Sampling = new SamplingParameters { Logprobs = 1 },
        });
        Assert.Equal(["a ", "b ", "c "], events.Select(one => one.Text));
        Assert.Equal([0L, 1, 2], events.Select(one => one.SequenceNumber));
        Assert.Equal([0, 1, 2], events.SelectMany(one => one.TokenIds));
        Assert.All(events, one => Assert.Equal("mine", one.RequestId));
        Assert.All(events, one => Assert.Equal(-0.5f, Assert.Single(one.Logprobs).Top[0].Logprob));
        Assert.Equal([FinishReason.Unspecified, FinishReason.Unspecified, FinishReason.Stop], events.Select(one => one.FinishReason));
        Assert.Equal(new Usage { PromptTokens = 3, CompletionTokens = 3 }, events[^1].Usage);
        Assert.Null(events[0].Usage);
    }

    [Fact]
    public async Task Token_ids_are_left_out_unless_asked_for_and_choices_are_numbered()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        GenerateEvent[] events = await gateway.GenerateAsync(
            new GenerateRequest { Tokens = new TokenPrompt { Ids = { 7, 8 } }, Sampling = new SamplingParameters { N = 2 } });
        Assert.All(events, one => Assert.Empty(one.TokenIds));
        Assert.Equal([(0, "<7>"), (1, "<7>"), (0, "<8>"), (1, "<8>")], events.Select(one => (one.Choice, one.Text)));
    }

    [Fact]
    public async Task Sampling_priority_and_salt_reach_the_model_and_absent_fields_take_its_defaults()
    {
        var model = new EchoModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        await gateway.GenerateAsync(new GenerateRequest
        {
            Text = "a",
            Priority = -3,
            CacheSalt = "salt",
            Sampling = new SamplingParameters { TopK = -1, TopP = 0.5f, Seed = ulong.MaxValue, MaxTokens = 9, Stop = { "x" }, LogitBias = { [4] = -100 }, Regex = "a+" },
        });
        ModelRequest seen = Assert.Single(model.Seen);
        Assert.Equal((-3, "salt"), (seen.Priority, seen.CacheSalt));
        Assert.Equal((0.25f, 0, 0.5f, ulong.MaxValue, 9), (seen.Sampling.Temperature, seen.Sampling.TopK, seen.Sampling.TopP, seen.Sampling.Seed, seen.Sampling.MaxTokens));
        Assert.Equal(["x"], seen.Sampling.Stop);
        Assert.Equal(-100, seen.Sampling.LogitBias![4]);
        Assert.Equal(new Engine.StructuredOutput.Regex("a+"), seen.Sampling.Structure);
        Assert.True(seen.Sampling.SkipSpecialTokens);
    }

    [Fact]
    public async Task Chats_carry_media_as_bytes_and_as_data_urls()
    {
        var model = new EchoModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        await gateway.GenerateAsync(new GenerateRequest
        {
            Chat = new Chat
            {
                Messages =
                {
                    new ChatMessage
                    {
                        Role = "user",
                        Parts =
                        {
                            new ContentPart { Text = "look" },
                            new ContentPart { Media = new MediaSource { Data = ByteString.CopyFrom(Picture) } },
                            new ContentPart { Media = new MediaSource { Url = "data:image/png;base64," + Convert.ToBase64String(Picture) } },
                        },
                    },
                },
                ToolsJson = "[]",
                TemplateArgumentsJson = """{"enable_thinking":false}""",
            },
        });
        var chat = (ModelInput.Chat)Assert.Single(model.Seen).Input;
        MediaItem[] media = [.. chat.Turns[0].Parts.OfType<ChatPart.Media>().Select(part => part.Item)];
        Assert.Equal(2, media.Length);
        Assert.All(media, item => Assert.Equal(Picture, item.Bytes.ToArray()));
        Assert.All(media, item => Assert.Equal(MmCluster.Models.Cards.Modality.Image, item.Modality));
        Assert.False(chat.TemplateArguments!.Value.GetProperty("enable_thinking").GetBoolean());
    }

    public static TheoryData<string, string, string> BadRequests => new()
    {
        { """{}""", "InvalidArgument", "input" },
        { """{"text":"a","model":"other"}""", "NotFound", "model" },
        { """{"text":"a","revision":"r2"}""", "NotFound", "revision" },
        { """{"text":"a","adapter":"lora"}""", "NotFound", "adapter" },
        { """{"text":"a","outputModalities":["MODALITY_IMAGE"]}""", "InvalidArgument", "output_modalities" },
        { """{"text":"a","requestId":"with space"}""", "InvalidArgument", "request_id" },
        { """{"text":"a","deadline":"1970-01-01T00:00:01Z"}""", "DeadlineExceeded", "deadline" },
        { """{"tokens":{"ids":[1,-1]}}""", "InvalidArgument", "tokens.ids" },
        { """{"text":"a","sampling":{"temperature":3}}""", "InvalidArgument", "sampling.temperature" },
        { """{"text":"a","sampling":{"temperature":"NaN"}}""", "InvalidArgument", "sampling.temperature" },
        { """{"text":"a","sampling":{"topP":0}}""", "InvalidArgument", "sampling.top_p" },
        { """{"text":"a","sampling":{"n":1000000}}""", "InvalidArgument", "sampling.n" },
        { """{"text":"a","sampling":{"maxTokens":0}}""", "InvalidArgument", "sampling.max_tokens" },
        { """{"chat":{}}""", "InvalidArgument", "chat.messages" },
        { """{"chat":{"messages":[{"role":"user","parts":[{}]}]}}""", "InvalidArgument", "chat.messages[0].parts[0]" },
        { """{"chat":{"messages":[{"role":"user","parts":[{"text":"a"},{"media":{"data":"AAAA"}}]}]}}""", "InvalidArgument", "chat.messages[0].parts[1].media" },
        { """{"chat":{"messages":[{"role":"user","parts":[{"media":{"url":"file:///etc/passwd"}}]}]}}""", "InvalidArgument", "chat.messages[0].parts[0].media" },
        { """{"chat":{"messages":[{"role":"user","parts":[{"media":{"uploadId":"x"}}]}]}}""", "NotFound", "chat.messages[0].parts[0].media" },
        { Tensor("""{}"""), "InvalidArgument", "chat.messages[0].parts[0].media.tensor.dtype" },
        { Tensor("""{"dtype":"I64","shape":[1,1],"data":"AAAAAAAAAAA="}"""), "InvalidArgument", "chat.messages[0].parts[0].media.tensor.dtype" },
        { Tensor("""{"dtype":"F32","shape":[4],"data":"AAAAAA=="}"""), "InvalidArgument", "chat.messages[0].parts[0].media.tensor.shape" },
        { Tensor("""{"dtype":"F32","shape":[1,-1],"data":"AAAAAA=="}"""), "InvalidArgument", "chat.messages[0].parts[0].media.tensor.shape" },
        { Tensor("""{"dtype":"F32","shape":[1,2],"data":"AAAAAA=="}"""), "InvalidArgument", "chat.messages[0].parts[0].media.tensor.data" },
        { Tensor("""{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data":"AAAAAA=="}"""), "InvalidArgument", "chat.messages[0].parts[0].media.tensor.data" },
        { Tensor("""{"dtype":"BF16","shape":[1,1],"data":"wH8="}"""), "InvalidArgument", "chat.messages[0].parts[0].media.tensor.data" },
        { """{"chat":{"messages":[{"role":"user"}],"toolsJson":"{"}}""", "InvalidArgument", "chat.tools_json" },
    };

    [Fact]
    public async Task A_request_that_waits_says_so_when_asked()
    {
        var model = new HeldModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model, new MmCluster.Gateway.Hosting.GatewayOptions { MaxRunning = 1 });
        Task<GenerateEvent[]> running = gateway.GenerateAsync(new GenerateRequest { Text = "a", ReturnProgress = true });
        await model.BegunAsync();
        using AsyncServerStreamingCall<GenerateEvent> waiting = gateway.Generation.Generate(new GenerateRequest { Text = "b", ReturnProgress = true }, cancellationToken: Stop);
        Assert.True(await waiting.ResponseStream.MoveNext(Stop));
        Assert.Equal(new Progress { Stage = "queued", Step = 0, Steps = 1 }, waiting.ResponseStream.Current.Progress);
        Assert.Empty(waiting.ResponseStream.Current.TokenIds);
        model.Release();
        Assert.True(await waiting.ResponseStream.MoveNext(Stop));
        Assert.Equal((null, "done"), (waiting.ResponseStream.Current.Progress, waiting.ResponseStream.Current.Text));
        Assert.Equal("done", Assert.Single(await running).Text);
    }

    private static string Tensor(string tensor) => $$$"""{"chat":{"messages":[{"role":"user","parts":[{"media":{"tensor":{{{tensor}}}}}]}]}}""";

    [Theory]
    [InlineData("F32", "AACAPwAAAMA=")]
    [InlineData("F16", "ADwAwA==")]
    [InlineData("BF16", "gD8AwA==")]
    public async Task Tensors_come_to_the_model_in_F32_with_their_shape(string dtype, string data)
    {
        var model = new EchoModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        await gateway.GenerateAsync(JsonParser.Default.Parse<GenerateRequest>(Tensor($$"""{"dtype":"{{dtype}}","shape":[1,2],"data":"{{data}}"}""")));
        var chat = (ModelInput.Chat)Assert.Single(model.Seen).Input;
        MediaItem item = Assert.IsType<ChatPart.Media>(chat.Turns[0].Parts[0]).Item;
        Assert.Equal([1, 2], item.Shape!);
        Assert.Equal([1f, -2f], item.Values.ToArray());
        Assert.True(item.IsFeatures);
    }

    [Theory, MemberData(nameof(BadRequests))]
    public async Task A_bad_field_is_named_in_the_trailers(string json, string code, string param)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => gateway.GenerateAsync(JsonParser.Default.Parse<GenerateRequest>(json)));
        Assert.Equal((code, code, param), (error.StatusCode.ToString(), error.Trailers.GetValue("mm-code"), error.Trailers.GetValue("mm-param")));
        Assert.NotEmpty(error.Status.Detail);
    }

    [Fact]
    public async Task A_failure_before_the_first_event_is_the_status()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel { FailAt = 0 });
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => gateway.GenerateAsync(new GenerateRequest { Text = "a b" }));
        Assert.Equal((StatusCode.Unavailable, "the stage is gone"), (error.StatusCode, error.Status.Detail));
    }

    [Fact]
    public async Task A_failure_in_a_stream_is_an_event_and_then_the_status()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel { FailAt = 1 });
        using AsyncServerStreamingCall<GenerateEvent> call = gateway.Generation.Generate(new GenerateRequest { Text = "a b" }, cancellationToken: Stop);
        Assert.True(await call.ResponseStream.MoveNext(Stop));
        Assert.Equal("a ", call.ResponseStream.Current.Text);
        Assert.True(await call.ResponseStream.MoveNext(Stop));
        Assert.Equal((FinishReason.Error, "Unavailable"), (call.ResponseStream.Current.FinishReason, call.ResponseStream.Current.Error.Code));
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Stop));
        Assert.Equal(StatusCode.Unavailable, error.StatusCode);
    }

    [Fact]
    public async Task A_cancelled_call_frees_its_work()
    {
        var model = new EchoModel { HangAt = 1 };
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        using AsyncServerStreamingCall<GenerateEvent> call = gateway.Generation.Generate(new GenerateRequest { Text = "a b" }, cancellationToken: Stop);
        Assert.True(await call.ResponseStream.MoveNext(Stop));
        await model.Hanging.Task.WaitAsync(Stop);
        call.Dispose();
        await model.Freed.Task.WaitAsync(Stop);
    }

    [Fact]
    public async Task The_calls_deadline_reaches_the_model_and_ends_the_call()
    {
        var model = new EchoModel { HangAt = 1 };
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        DateTimeOffset soon = TimeProvider.System.GetUtcNow().AddMilliseconds(300);
        using AsyncServerStreamingCall<GenerateEvent> call =
            gateway.Generation.Generate(new GenerateRequest { Text = "a b" }, deadline: soon.UtcDateTime, cancellationToken: Stop);
        RpcException error = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await call.ResponseStream.MoveNext(Stop))
            {
            }
        });
        Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
        await model.Freed.Task.WaitAsync(Stop);
        Assert.NotNull(Assert.Single(model.Seen).Deadline);
    }

    [Fact]
    public async Task The_earliest_of_message_and_gateway_limits_is_the_deadline()
    {
        var model = new EchoModel();
        var time = new VirtualTime();
        await using TestGateway gateway = await TestGateway.StartAsync(model, new GatewayOptions { RequestTimeout = TimeSpan.FromSeconds(60) }, time);
        await gateway.GenerateAsync(new GenerateRequest { Text = "a", Deadline = time.GetUtcNow().AddSeconds(20).ToTimestamp() });
        await gateway.GenerateAsync(new GenerateRequest { Text = "a", Deadline = time.GetUtcNow().AddSeconds(80).ToTimestamp() });
        Assert.Equal([time.GetUtcNow().AddSeconds(20), time.GetUtcNow().AddSeconds(60)], model.Seen.Select(seen => seen.Deadline!.Value));
    }

    [Fact]
    public async Task A_key_is_asked_of_all_but_health()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel(), new GatewayOptions { ApiKey = "secret" });
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => gateway.GenerateAsync(new GenerateRequest { Text = "a" }));
        Assert.Equal((StatusCode.Unauthenticated, "Unauthenticated"), (error.StatusCode, error.Trailers.GetValue("mm-code")));
        error = await Assert.ThrowsAsync<RpcException>(() => gateway.Generation.ListModelsAsync(
            new ListModelsRequest(), new Metadata { { "authorization", "Bearer wrong" } }, cancellationToken: Stop).ResponseAsync);
        Assert.Equal(StatusCode.Unauthenticated, error.StatusCode);
        ListModelsResponse list = await gateway.Generation.ListModelsAsync(
            new ListModelsRequest(), new Metadata { { "authorization", "Bearer secret" } }, cancellationToken: Stop);
        Assert.Equal(
            new Model { Name = "echo", Ready = true, MaxModelLength = 4096, VocabularySize = 1000, Inputs = { Modality.Text }, Outputs = { Modality.Text } },
            Assert.Single(list.Models));
        await new global::Grpc.Health.V1.Health.HealthClient(gateway.Channel).CheckAsync(new(), cancellationToken: Stop);
    }

    [Fact]
    public async Task Encode_names_the_item_that_a_model_does_not_take()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        var request = new EncodeRequest { Media = { new MediaSource { Data = ByteString.CopyFrom([0x89, .. "PNG\r\n"u8, 26, 10, 1]) } } };
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => gateway.Generation.EncodeAsync(request, cancellationToken: Stop).ResponseAsync);
        Assert.Equal((StatusCode.InvalidArgument, "media[0]"), (error.StatusCode, error.Trailers.GetValue("mm-param")));
    }

    [Fact]
    public async Task Calls_are_counted_with_the_http_requests()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        await gateway.GenerateAsync(new GenerateRequest { Text = "a b c" });
        string text = await gateway.Http.GetStringAsync("/metrics", Stop);
        Assert.Contains("mm:generation_tokens_total{model=\"echo\"} 3\n", text, StringComparison.Ordinal);
    }
}
