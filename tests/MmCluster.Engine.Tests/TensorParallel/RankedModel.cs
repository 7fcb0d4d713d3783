using MmCluster.Engine.Cpu;
using MmCluster.Engine.Cuda;
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
    private readonly Device _device;

    public RankedModel(string folder, int ranks, DType type = DType.F32)
    {
        (Groups, _device) = (ProcessGroup.Create(Device.Cpu, ranks), Device.Cpu);
        Ranks = [.. Groups.Select(group => Load(folder, ranks == 1 ? null : group, type))];
    }

    /// <summary>All ranks on one GPU.</summary>
    public RankedModel(string folder, IReadOnlyList<ProcessGroup> groups, Device gpu)
    {
        (Groups, _device) = (groups, gpu);
        Ranks = [.. groups.Select(group => Load(folder, group, DType.F32, gpu))];
    }

    /// <summary>The group's ends, in the order of the ranks.</summary>
    public IReadOnlyList<ProcessGroup> Groups { get; }

    /// <summary>Whether a GPU's steps are launched kernel by kernel.</summary>
    public bool EnforceEager { get; init; }

    /// <summary>The parts, in the order of the ranks.</summary>
    public IReadOnlyList<LoadedModel> Ranks { get; }

    /// <summary>What was seen of each sampled position: by request's seed and length.</summary>
    public Dictionary<(ulong Seed, int Length), float[]> Logits { get; } = [];

    public static LoadedModel Load(string folder, ProcessGroup? group, DType type = DType.F32, Device? device = null) => LoadedModel.Load(folder, new LoadOptions
    {
        Device = device ?? Device.Cpu,
        Backbone = type,
        Group = group,
        Components = component => component.Kind == ComponentKind.Backbone,
    });

    public EngineDriver Drive(EngineOptions options, int blocks = 512, Func<int, IRankExecutor, IRankExecutor>? wrap = null)
    {
        wrap ??= (_, executor) => executor;
        bool whole = _device.IsCpu && Ranks.Count == 1;
        return new EngineDriver(whole ? Rank(0, blocks) : new TensorParallelExecutor(Groups, rank => wrap(rank, Rank(rank, blocks))), options);
    }

    public void Dispose()
    {
        foreach (LoadedModel rank in Ranks)
        {
            rank.Dispose();
        }
        ProcessGroup.Close(Groups);
    }

    private IRankExecutor Rank(int rank, int blocks)
    {
        IBackbone backbone = Ranks[rank].Backbone!;
        ExecutorOptions options = new()
        {
            MaxSlots = 8,
            MaxBatchedTokens = 256,
            KvCacheBytes = PagedKv.BytesABlock(backbone.Spec.KvHeads, backbone.Spec.HeadDim, DType.F32, _device) * backbone.Spec.HeldLayers * blocks,
            EnforceEager = EnforceEager,
        };
        return _device.IsCpu
            ? new CpuExecutor(backbone, options) { LogitsSeen = rank == 0 ? (start, length, row) => Note((start.Sampling.Seed, length), row) : null }
            : new CudaExecutor(backbone, _device, options);
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
