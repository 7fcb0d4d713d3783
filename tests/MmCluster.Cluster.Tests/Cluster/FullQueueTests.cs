using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Stages;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models;
using MmCluster.Models.Cards;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.Cluster;

/// <summary>One stage of a request has no room while the others have: an answer at once that names it, nothing held by those that had taken the request in.</summary>
public sealed class FullQueueTests
{
    private const int Room = 4;

    private static readonly byte[] Bytes = File.ReadAllBytes(Directory.EnumerateFiles(Path.Combine(TestCluster.ModelsFolder, "mini", "demo"), "*.png").Order().First());

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_full_backbone_behind_a_free_encoder_refuses_by_its_name()
    {
        await using TestCluster cluster = await StartAsync();
        (BackboneStage stage, string key) = await StageAsync<BackboneStage>(cluster, ModelDeployment.BackboneComponent);
        // A session that somebody reads, with requests whose features never come.
        await using IAsyncEnumerator<StepBatch> reader = stage.ReadAsync("holder", 0, Stop).GetAsyncEnumerator(Stop);
        Task<bool> reading = reader.MoveNextAsync().AsTask();
        for (int i = 0; i < Room; i++)
        {
            stage.Submit(new GenerationMessage
            {
                Gateway = "holder",
                Handle = i,
                Request = $"held {i}",
                Prompt = [new PromptPart { MediaKey = (UInt128)i, MediaLength = 144 }],
                Sampling = new SamplingParameters(),
            });
        }

        MmException error = await Assert.ThrowsAsync<MmException>(() => cluster.GenerateAsync("mini", Ask("refused")));
        IsFull(error, $"backbone {key}");
        await cluster.UntilAsync(status => Of(status, "vision_tower").Load is { QueueUsed: 0, CacheHeld: 0 }, "the encoder holds something");
        await Eventually.TrueAsync(() => cluster.LeasedBytes == 0, () => $"{cluster.LeasedBytes} bytes are still leased");

        await stage.CancelAsync("holder", [0, 1, 2, 3]);
        Assert.NotEmpty(await cluster.GenerateAsync("mini", Ask("served")));
        Assert.True(await reading);
    }

    [Fact]
    public async Task A_full_encoder_before_a_free_backbone_refuses_by_its_name()
    {
        await using TestCluster cluster = await StartAsync();
        (EncoderStage stage, string key) = await StageAsync<EncoderStage>(cluster, "vision_tower");
        string revision = Of(await cluster.StatusAsync(), ModelDeployment.BackboneComponent).Revision;
        // Items whose bytes are at a peer that takes connections and says nothing.
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        LinkAddress elsewhere = new("another machine", "", "127.0.0.1", ((IPEndPoint)silent.LocalEndpoint).Port, Guid.NewGuid());
        for (int i = 0; i < Room; i++)
        {
            stage.Submit(new EncodeMessage
            {
                Request = "held",
                Item = i,
                Model = "mini",
                Revision = revision,
                Key = (UInt128)i,
                Bytes = new TensorRef(elsewhere, i, DType.U8, [1], 1, (UInt128)i),
                Name = "picture",
            });
        }

        MmException error = await Assert.ThrowsAsync<MmException>(() => cluster.GenerateAsync("mini", Ask("refused")));
        IsFull(error, $"encoder {key}");
        Assert.Equal(0, Of(await cluster.StatusAsync(), ModelDeployment.BackboneComponent).Load.QueueUsed);
        Assert.Equal(0, cluster.LeasedBytes);
        Assert.NotEmpty(await cluster.GenerateAsync("mini", Ask("text alone") with { Input = new ModelInput.Text("The backbone has room.") }));

        stage.Release(["held"]);
        Assert.NotEmpty(await cluster.GenerateAsync("mini", Ask("served")));
    }

    private static void IsFull(MmException error, string stage)
    {
        Assert.Equal((MmErrorCode.Unavailable, stage, TimeSpan.FromSeconds(1)), (error.Code, error.Stage, error.RetryAfter));
        Assert.Contains($"the queue of {stage} is full", error.Message, StringComparison.Ordinal);
    }

    private static async Task<TestCluster> StartAsync()
    {
        // The silent peer of these tests stays silent for as long as they take.
        TestCluster cluster = await TestCluster.StartAsync(1, services: services => services.AddSingleton(
            new TensorLinkEndpoint(new TensorLinkOptions { ClusterSecret = "secret", SlabBytes = 64 << 20, PeerTimeout = TimeSpan.FromHours(1) }, TimeProvider.System)));
        await cluster.DeployAsync(new ModelDeployment
        {
            Name = "mini",
            Source = "mini",
            Dtype = DType.F32,
            Limits = new EngineLimits { MaxNumSeqs = 16, MaxNumBatchedTokens = 512, MaxQueue = Room },
        });
        return cluster;
    }

    private static async Task<(T Stage, string Key)> StageAsync<T>(TestCluster cluster, string component)
        where T : class, IStage
    {
        StageStatus status = Of(await cluster.StatusAsync(), component);
        return (cluster.HostOf(status.Node).Find<T>(status.Key), status.Key);
    }

    private static StageStatus Of(ClusterStatus status, string component) => status.Stages.Single(stage => stage.Component == component);

    private static ModelRequest Ask(string id) => new()
    {
        Id = id,
        Input = ModelInput.Chat.FromUser("What is in the picture?", new MediaItem(Modality.Image, Bytes, "picture")),
        Sampling = new SamplingParameters { Temperature = 0, MaxTokens = 3 },
    };
}
