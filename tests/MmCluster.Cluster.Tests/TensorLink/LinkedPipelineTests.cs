using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.TensorLink.Channels;
using MmCluster.Engine;
using MmCluster.Engine.Cpu;
using MmCluster.Engine.Hosting;
using MmCluster.Engine.Pipeline;
using MmCluster.Models;
using MmCluster.Models.Backbones;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.TensorLink;

/// <summary>A backbone of three shards, each behind an endpoint of its own, as silos have them.</summary>
public abstract class LinkedPipelineTests(bool shareMemory, string device = "cpu")
{
    private const int Shards = 3;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Ids_are_those_of_one_process()
    {
        SkipWithoutDevice();
        Dictionary<string, List<int>> alone;
        using (LoadedModel whole = Load(LayerRange.All, Device.Cpu))
        {
            await using Engine.Engine engine = new(new CpuExecutor(whole.Backbone!, Options), EngineOptions);
            alone = await RunAsync(engine);
        }
        await using Replica replica = await Replica.StartAsync(shareMemory, Device.Parse(device));
        Assert.Equal(alone, await RunAsync(replica.Engine));
        Assert.All(replica.Between, channel => Assert.Equal(device != "cpu", channel.IsOnDevice));
        Assert.Equal(device != "cpu", replica.Endpoints[0].DeviceLeasedBytes > 0);
    }

    [Fact]
    public async Task A_lost_shard_ends_all_requests_with_unavailable_and_closes_the_other_shards()
    {
        SkipWithoutDevice();
        await using Replica replica = await Replica.StartAsync(shareMemory, Device.Parse(device));
        for (int i = 0; i < 4; i++)
        {
            replica.Engine.Submit(Request(i, tokens: 100_000));
        }
        int tokens = 0;
        List<MmErrorCode?> ends = [];
        await foreach (StepOutputs step in replica.Engine.ReadSteps(Stop))
        {
            tokens += step.Outputs.Sum(output => output.TokenIds.Length);
            ends.AddRange(step.Outputs.Where(output => output.Finish is not null).Select(output => output.Error?.Code));
            if (tokens is >= 40 and < 1000)
            {
                tokens = 1000;
                await replica.Endpoints[1].DisposeAsync();
            }
            if (ends.Count == 4)
            {
                break;
            }
        }
        Assert.All(ends, end => Assert.Equal(MmErrorCode.Unavailable, end));
        foreach (ShardWorker worker in replica.Workers)
        {
            await Assert.ThrowsAsync<MmException>(() => worker.Ended.WaitAsync(TimeSpan.FromSeconds(20), Stop));
        }
    }

    private static ExecutorOptions Options => new() { MaxSlots = 4, MaxBatchedTokens = 64, KvCacheBytes = 8 << 20 };

    private static EngineOptions EngineOptions => new() { MaxNumSeqs = 4, MaxNumBatchedTokens = 64 };

    private static LoadedModel Load(LayerRange layers, Device device) => LoadedModel.Load(
        RepositoryRoot.Path("tests/goldens/llama_gqa"), new LoadOptions { Backbone = DType.F32, Shard = layers, Device = device });

    private void SkipWithoutDevice() => Assert.SkipWhen(device != "cpu" && Device.CudaCount == 0, "no GPU");

    private static EngineRequest Request(int i, int tokens) => new()
    {
        Id = $"r{i}",
        Prompt = [new PromptPiece.Tokens((int[])[.. Enumerable.Range(0, 20 + (9 * i)).Select(at => ((at * 31) + i) % 300)])],
        Sampling = new SamplingParameters { Temperature = i % 2, Seed = (ulong)i, MaxTokens = tokens, IgnoreEos = true },
    };

    private static async Task<Dictionary<string, List<int>>> RunAsync(Engine.Engine engine)
    {
        Dictionary<string, List<int>> ids = [];
        for (int i = 0; i < 8; i++)
        {
            ids[$"r{i}"] = [];
            engine.Submit(Request(i, tokens: 24 + i));
        }
        int ended = 0;
        await foreach (StepOutputs step in engine.ReadSteps(Stop))
        {
            foreach (SequenceOutput output in step.Outputs)
            {
                Assert.Null(output.Error);
                ids[output.RequestId].AddRange(output.TokenIds.Span);
                ended += output.Finish is null ? 0 : 1;
            }
            if (ended == ids.Count)
            {
                break;
            }
        }
        return ids;
    }

    private sealed class Replica : IAsyncDisposable
    {
        private readonly List<LoadedModel> _models = [];

        public List<TensorLinkEndpoint> Endpoints { get; } = [];

        public List<ShardWorker> Workers { get; } = [];

        public Engine.Engine Engine { get; private set; } = null!;

        public List<LinkShardWriter> Between { get; } = [];

        public static async Task<Replica> StartAsync(bool shareMemory, Device device)
        {
            Replica replica = new();
            List<IModelShard> shards = [];
            for (int i = 0; i < Shards; i++)
            {
                replica.Endpoints.Add(new TensorLinkEndpoint(
                    new TensorLinkOptions { ClusterSecret = "secret", SlabBytes = 1 << 20, ShareMemory = shareMemory }, TimeProvider.System));
                replica._models.Add(Load(LayerRange.Part(i, Shards), device));
                shards.Add(Executors.CreateShard(replica._models[i].Backbone!, device, Options));
            }
            ExecutorDescription[] others = [.. shards.Skip(1).Select(shard => shard.Describe())];
            ExecutorDescription joined = PipelineExecutor.Join(shards[0].Describe(), others);
            ChannelShape between = ChannelShape.Of(PipelineChannels.Between(joined, shards[0].Spec.HiddenSize));
            LinkShardReader results = replica.Endpoints[0].ExpectChannel(ChannelShape.Of(PipelineChannels.Results(joined)));
            LinkShardReader[] inputs = [.. replica.Endpoints.Skip(1).Select(endpoint => endpoint.ExpectChannel(between, device))];
            for (int i = 1; i < Shards; i++)
            {
                LinkShardWriter output = await replica.Endpoints[i].OpenChannelAsync(i + 1 < Shards ? inputs[i].Ref : results.Ref, Stop, device);
                if (i + 1 < Shards)
                {
                    replica.Between.Add(output);
                }
                replica.Workers.Add(new ShardWorker(shards[i], inputs[i - 1], output));
            }
            LinkShardWriter next = await replica.Endpoints[0].OpenChannelAsync(inputs[0].Ref, Stop, device);
            replica.Between.Add(next);
            replica.Engine = new Engine.Engine(new PipelineExecutor(shards[0], next, results, others), EngineOptions);
            return replica;
        }

        public async ValueTask DisposeAsync()
        {
            await Engine.DisposeAsync();
            foreach (ShardWorker worker in Workers)
            {
                worker.Dispose();
                await Task.WhenAny(worker.Ended);
            }
            foreach (TensorLinkEndpoint endpoint in Endpoints)
            {
                await endpoint.DisposeAsync();
            }
            _models.ForEach(model => model.Dispose());
        }
    }
}

public sealed class SharedPipelineTests() : LinkedPipelineTests(shareMemory: true);

public sealed class TcpPipelineTests() : LinkedPipelineTests(shareMemory: false);

public sealed class GpuPipelineTests() : LinkedPipelineTests(shareMemory: true, "cuda");
