using MmCluster.Engine.Cpu;
using MmCluster.Engine.TensorParallel;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Models.Backbones;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.TensorParallel;

/// <summary>A checkpoint's backbone split over so many ranks of this process, and engines over them.</summary>
internal sealed class RankedModel : IDisposable
{
    private readonly IReadOnlyList<ProcessGroup> _groups;

    public RankedModel(string folder, int ranks, DType type = DType.F32)
    {
        _groups = ProcessGroup.Create(Device.Cpu, ranks);
        Ranks = [.. _groups.Select(group => Load(folder, ranks == 1 ? null : group, type))];
    }

    /// <summary>The parts, in the order of the ranks.</summary>
    public IReadOnlyList<LoadedModel> Ranks { get; }

    /// <summary>What was seen of each sampled position: by request's seed and length.</summary>
    public Dictionary<(ulong Seed, int Length), float[]> Logits { get; } = [];

    public static LoadedModel Load(string folder, ProcessGroup? group, DType type = DType.F32) => LoadedModel.Load(folder, new LoadOptions
    {
        Backbone = type,
        Group = group,
        Components = component => component.Kind == ComponentKind.Backbone,
    });

    public EngineDriver Drive(EngineOptions options, int blocks = 512, Func<int, IRankExecutor, IRankExecutor>? wrap = null)
    {
        wrap ??= (_, executor) => executor;
        return new EngineDriver(Ranks.Count == 1 ? Rank(0, blocks) : new TensorParallelExecutor(_groups, rank => wrap(rank, Rank(rank, blocks))), options);
    }

    public void Dispose()
    {
        foreach (LoadedModel rank in Ranks)
        {
            rank.Dispose();
        }
        ProcessGroup.Close(_groups);
    }

    private CpuExecutor Rank(int rank, int blocks)
    {
        BackboneSpec spec = Ranks[rank].Backbone!.Spec;
        return new CpuExecutor(Ranks[rank].Backbone!, new ExecutorOptions
        {
            MaxSlots = 8,
            MaxBatchedTokens = 256,
            KvCacheBytes = PagedKv.BytesABlock(spec.KvHeads, spec.HeadDim) * spec.HeldLayers * blocks,
        })
        {
            LogitsSeen = rank == 0 ? (start, length, row) => Note((start.Sampling.Seed, length), row) : null,
        };
    }

    // The same bits every time, however the work was cut.
    private void Note((ulong, int) key, float[] row)
    {
        if (Logits.TryGetValue(key, out float[]? known))
        {
            Assert.True(row.AsSpan().SequenceEqual(known), $"request {key.Item1}, length {key.Item2}");
        }
        Logits[key] = row;
    }
}
