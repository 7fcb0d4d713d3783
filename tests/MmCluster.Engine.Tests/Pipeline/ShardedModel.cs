using MmCluster.Engine.Cpu;
using MmCluster.Engine.Pipeline;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Models.Backbones;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Pipeline;

/// <summary>A checkpoint's backbone cut into so many parts, and engines over them.</summary>
internal sealed class ShardedModel : IDisposable
{
    private readonly LoadedModel[] _parts;

    public ShardedModel(string folder, int shards) => _parts = [.. Enumerable.Range(0, shards).Select(i => LoadedModel.Load(folder, new LoadOptions
    {
        Backbone = DType.F32,
        Shard = LayerRange.Part(i, shards),
        Components = component => component.Kind == ComponentKind.Backbone,
    }))];

    /// <summary>What was seen of each sampled position: by seed, choice and length.</summary>
    public Dictionary<(ulong Seed, int Choice, int Length), float[]> Logits { get; } = [];

    /// <summary>The parts as shards with so many blocks of KV.</summary>
    public IReadOnlyList<CpuShard> Shards(int blocks)
    {
        CpuShard[] shards = [.. _parts.Select(part => new CpuShard(part.Backbone!, new ExecutorOptions
        {
            MaxSlots = 8,
            MaxBatchedTokens = 256,
            KvCacheBytes = PagedKv.BytesABlock(part.Backbone!.Spec.KvHeads, part.Backbone.Spec.HeadDim) * part.Backbone.Spec.HeldLayers * blocks,
        }))];
        shards[^1].LogitsSeen = (start, length, row) => Note((start.Sampling.Seed, start.Choice, length), row);
        return shards;
    }

    public EngineDriver Drive(EngineOptions options, int blocks = 512)
    {
        IReadOnlyList<CpuShard> shards = Shards(blocks);
        return new EngineDriver(shards.Count == 1 ? new OneShard(shards[0]) : LocalPipeline.Create(shards), options);
    }

    public void Dispose()
    {
        foreach (LoadedModel part in _parts)
        {
            part.Dispose();
        }
    }

    private void Note((ulong, int, int) key, float[] row)
    {
        if (Logits.TryGetValue(key, out float[]? known))
        {
            Assert.True(row.AsSpan().SequenceEqual(known));
        }
        Logits[key] = row;
    }

    private sealed class OneShard(CpuShard shard) : IModelExecutor
    {
        public ExecutorDescription Describe() => shard.Describe();

        public void Execute(in StepPlan plan, StepResult result)
        {
            result.Clear();
            shard.Run(plan, null, null, result);
            result.Step = plan.Chunks.Length > 0 ? plan.Step : null;
        }

        public void Dispose() => shard.Dispose();
    }
}
