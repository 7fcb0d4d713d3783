using System.Collections.Concurrent;
using System.Diagnostics;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.TensorLink;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.Cluster;

/// <summary>The shipped model, its encoder and its language model as stages of their own.</summary>
public sealed class MediaTests
{
    private const int Side = 144;

    private static readonly string Demo = Path.Combine(TestCluster.ModelsFolder, "mini", "demo");

    [Fact]
    public async Task A_picture_through_stages_on_two_nodes_gives_the_text_of_one_process()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(2);
        ClusterModel model = await cluster.DeployAsync(Mini("mini"));
        Assert.Equal([Modality.Image], model.Media);
        ClusterStatus status = await cluster.StatusAsync();
        Assert.Equal(2, status.Stages.Select(stage => stage.Node).Distinct().Count());
        ModelRequest request = Ask("What is in the picture?");
        string expected = await AloneAsync(request);
        Assert.Equal(expected, Text(await cluster.GenerateAsync("mini", request)));
        await Eventually.TrueAsync(() => cluster.LeasedBytes == 0, () => $"{cluster.LeasedBytes} bytes are still leased");
    }

    [Fact]
    public async Task Models_of_one_encoder_share_it()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(Mini("one"));
        await cluster.DeployAsync(Mini("two"));
        ClusterStatus status = await cluster.UntilAsync(
            known => known.Stages.Any(stage => stage.Component == "vision_tower" && stage.Models.Count == 2), "the encoder is not shared");
        Assert.Equal(3, status.Stages.Count);
        ModelRequest request = Ask("What is in the picture?");
        string first = Text(await cluster.GenerateAsync("one", request));
        Assert.Equal(first, Text(await cluster.GenerateAsync("two", request with { Id = "again" })));
        StageStatus encoder = (await cluster.StatusAsync()).Stages.Single(stage => stage.Component == "vision_tower");
        Assert.Equal((1, 2), (encoder.Load.CacheHits, encoder.Load.CacheQueries));
        await cluster.Models.RemoveAsync("one", TestContext.Current.CancellationToken);
        await cluster.UntilAsync(known => known.Stages.Count == 2, "the first model is still there");
        Assert.Equal(first, Text(await cluster.GenerateAsync("two", request with { Id = "third" })));
    }

    [Fact]
    public async Task Encoding_alone_gives_positions_of_the_backbones_width()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(Mini("mini"));
        using (PulledTensor features = await cluster.Models.EncodeAsync("mini", "", Picture(), TestContext.Current.CancellationToken))
        {
            Assert.Equal((2, DType.F32), (features.Tensor.Rank, features.Tensor.DType));
        }
        await Eventually.TrueAsync(() => cluster.LeasedBytes == 0, () => $"{cluster.LeasedBytes} bytes are still leased");
    }

    [Fact]
    public async Task Features_that_come_with_a_request_answer_as_their_picture_does()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(2);
        await cluster.DeployAsync(Mini("mini"));
        string expected = Text(await cluster.GenerateAsync("mini", Ask("What is in the picture?")));
        MediaItem features;
        using (PulledTensor encoded = await cluster.Models.EncodeAsync("mini", "", Picture(), TestContext.Current.CancellationToken))
        {
            features = Values(encoded.Tensor.AsReadOnlySpan<float>(), encoded.Tensor.Size(0), encoded.Tensor.Size(1));
        }
        long before = (await EncoderAsync(cluster)).Load.CacheQueries;
        Assert.Equal(expected, Text(await cluster.GenerateAsync("mini", Ask("What is in the picture?", features))));
        Assert.Equal(before, (await EncoderAsync(cluster)).Load.CacheQueries);
        await Eventually.TrueAsync(() => cluster.LeasedBytes == 0, () => $"{cluster.LeasedBytes} bytes are still leased");
    }

    [Fact]
    public async Task A_request_tells_how_far_its_picture_is_when_asked_and_answers_the_same()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(Mini("mini"));
        ModelRequest request = Ask("What is in the picture?");
        List<SequenceOutput> entries = await cluster.GenerateAsync("mini", request with { ReportProgress = true });
        RequestProgress[] told = [.. entries.Select(entry => entry.Progress).OfType<RequestProgress>()];
        Assert.Equal([new RequestProgress(RequestProgress.Encoding, 0, 1), new RequestProgress(RequestProgress.Prefill, 0, 1)], told);
        Assert.Equal(told.Length, entries.FindIndex(entry => entry.Progress is null));
        Assert.Equal(Text(await cluster.GenerateAsync("mini", request with { Id = "silent" })), Text(entries));
    }

    [Fact]
    public async Task What_stages_and_tensor_links_do_for_a_request_is_in_its_own_trace()
    {
        var ended = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name.StartsWith("MmCluster.", StringComparison.Ordinal),
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = ended.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        using var source = new ActivitySource("MmCluster.Tests");
        await using TestCluster cluster = await TestCluster.StartAsync(2);
        await cluster.DeployAsync(Mini("mini"));
        using Activity asked = source.StartActivity("ask")!;
        await cluster.GenerateAsync("mini", Ask("What is in the picture?"));
        // The encoder pulls the picture from here, the backbone the features from the encoder's silo.
        string[] expected = ["backbone", "encode", "pull tensor", "pull tensor"];
        await Eventually.TrueAsync(() => Names().SequenceEqual(expected), () => string.Join(", ", Names()));

        string[] Names() => [.. ended.Where(span => span.TraceId == asked.TraceId).Select(span => span.OperationName).Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task Pixels_that_come_with_a_request_answer_as_they_do_alone()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(Mini("mini"));
        var random = new Random(1);
        ModelRequest request = Ask("What is in the picture?", Values([.. Enumerable.Range(0, 3 * Side * Side).Select(_ => random.NextSingle() - 0.5f)], 3, Side, Side));
        Assert.Equal(await AloneAsync(request), Text(await cluster.GenerateAsync("mini", request)));
        await Eventually.TrueAsync(() => cluster.LeasedBytes == 0, () => $"{cluster.LeasedBytes} bytes are still leased");
    }

    [Theory]
    [InlineData(16, 5)]
    [InlineData(3, Side, Side + 1)]
    [InlineData(1, Side, Side)]
    public async Task A_tensor_that_does_not_fit_is_refused_with_the_shapes_that_do(params int[] shape)
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(Mini("mini"));
        ModelRequest request = Ask("What?", Values(new float[shape.Aggregate(1, (count, dimension) => count * dimension)], shape));
        MmException refused = await Assert.ThrowsAsync<MmException>(() => cluster.GenerateAsync("mini", request));
        Assert.Equal((MmErrorCode.InvalidArgument, "picture"), (refused.Code, refused.Param));
        Assert.Contains($"pixels are [3, {Side}, {Side}]", refused.Message, StringComparison.Ordinal);
        Assert.Equal(refused.Message, (await Assert.ThrowsAsync<MmException>(() => AloneAsync(request))).Message);
    }

    [Fact]
    public async Task A_broken_picture_is_the_callers_fault_and_frees_everything()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(Mini("mini"));
        ModelRequest request = new()
        {
            Input = ModelInput.Chat.FromUser("What?", new MediaItem(Modality.Image, new byte[] { 1, 2, 3 }, "messages[0].content[0]")),
            Sampling = new SamplingParameters { MaxTokens = 5 },
        };
        SequenceOutput end = Assert.Single(await cluster.GenerateAsync("mini", request));
        Assert.Equal(MmErrorCode.InvalidArgument, end.Error?.Code);
        Assert.Contains("messages[0].content[0]", end.Error!.Message, StringComparison.Ordinal);
        await cluster.UntilAsync(status => status.Stages.All(stage => stage.Load.QueueUsed == 0), "a queue is not empty");
        await Eventually.TrueAsync(() => cluster.LeasedBytes == 0, () => $"{cluster.LeasedBytes} bytes are still leased");
    }

    [Fact]
    public async Task A_lost_encoder_is_replaced_and_the_request_goes_on()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        await cluster.DeployAsync(Mini("mini") with
        {
            Components = new Dictionary<string, ComponentDeployment> { ["vision_tower"] = new() { MinReplicas = 2 } },
        });
        ClusterStatus status = await cluster.UntilAsync(known => known.Stages.Count(stage => stage.State == StageState.Ready) == 3, "three stages are not ready");
        ModelRequest request = Ask("What is in the picture?");
        string expected = await AloneAsync(request);
        string backbone = status.Stages.Single(stage => stage.Component == ModelDeployment.BackboneComponent).Node;
        StageStatus encoder = status.Stages.First(stage => stage.Component == "vision_tower" && stage.Node != backbone);
        Task kill = cluster.KillAsync(cluster.SiloOf(encoder.Node));
        Task<string>[] answers = [.. Enumerable.Range(0, 8).Select(async i =>
            Text(await cluster.GenerateAsync("mini", request with { Id = $"r{i}", CacheSalt = $"{i}" })))];
        await kill;
        Assert.All(await Task.WhenAll(answers), answer => Assert.Equal(expected, answer));
        await Eventually.TrueAsync(() => cluster.LeasedBytes == 0, () => $"{cluster.LeasedBytes} bytes are still leased");
    }

    [Fact]
    public async Task A_request_that_is_cancelled_while_it_encodes_leaves_nothing()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(Mini("mini"));
        for (int i = 0; i < 10; i++)
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            IAsyncEnumerator<SequenceOutput> stream = cluster.Models.GenerateAsync("mini", Ask("What?") with { CacheSalt = $"{i}" }, stop.Token).GetAsyncEnumerator(stop.Token);
            ValueTask<bool> first = stream.MoveNextAsync();
            await stop.CancelAsync();
            try
            {
                await first;
            }
            catch (OperationCanceledException)
            {
                // As asked for.
            }
            await stream.DisposeAsync();
        }
        await cluster.UntilAsync(status => status.Stages.All(stage => stage.Load.QueueUsed == 0), "a queue is not empty");
        await Eventually.TrueAsync(() => cluster.LeasedBytes == 0, () => $"{cluster.LeasedBytes} bytes are still leased");
        Assert.NotEmpty(Text(await cluster.GenerateAsync("mini", Ask("What is in the picture?"))));
    }

    private static ModelDeployment Mini(string name) => new()
    {
        Name = name,
        Source = "mini",
        Dtype = DType.F32,
        Limits = new EngineLimits { MaxNumSeqs = 16, MaxNumBatchedTokens = 512 },
    };

    private static MediaItem Picture() => new(Modality.Image, File.ReadAllBytes(Directory.EnumerateFiles(Demo, "*.png").Order().First()), "picture");

    private static MediaItem Values(ReadOnlySpan<float> values, params int[] shape) =>
        new(Modality.Image, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values).ToArray(), "picture") { Shape = shape };

    private static async Task<StageStatus> EncoderAsync(TestCluster cluster) =>
        (await cluster.StatusAsync()).Stages.Single(stage => stage.Component == "vision_tower");

    private static ModelRequest Ask(string question, MediaItem? item = null) => new()
    {
        Input = ModelInput.Chat.FromUser(question, item ?? Picture()),
        Sampling = new SamplingParameters { Temperature = 0, MaxTokens = 30 },
    };

    private static string Text(IEnumerable<SequenceOutput> entries) => string.Concat(entries.Select(entry => entry.Text));

    private static async Task<string> AloneAsync(ModelRequest request)
    {
        ModelCard card = CardReader.Read(Path.Combine(TestCluster.ModelsFolder, "mini.yaml"));
        await using LocalModel model = LocalModel.Load(Path.Combine(TestCluster.ModelsFolder, "mini"), new LocalModelOptions
        {
            Card = card,
            Load = new LoadOptions { Backbone = DType.F32 },
            Engine = new EngineOptions { MaxNumSeqs = 16, MaxNumBatchedTokens = 512 },
        });
        List<SequenceOutput> entries = [];
        await foreach (SequenceOutput entry in model.GenerateAsync(request, TestContext.Current.CancellationToken))
        {
            entries.Add(entry);
        }
        return Text(entries);
    }
}
