using MmCluster.Tensors;

namespace MmCluster.Engine;

/// <summary>Sizes of an executor, and how it uses its device.</summary>
public sealed record ExecutorOptions
{
    /// <summary>Sequences that may hold a slot. Default 256.</summary>
    public int MaxSlots { get; init; } = 256;

    /// <summary>Positions a step. Default 2,048: its activations take this times the network's width.</summary>
    public int MaxBatchedTokens { get; init; } = 2048;

    /// <summary>Longest sequence; null takes the network's.</summary>
    public int? MaxModelLength { get; init; }

    /// <summary>
    /// Bytes of KV cache; null takes what <see cref="MaxSlots"/> sequences of full length need, but at most 40 % of the process's memory on a processor and
    /// <see cref="GpuMemoryUtilization"/> of a GPU's. The system gives a processor's memory as blocks are first written.
    /// </summary>
    public long? KvCacheBytes { get; init; }

    /// <summary>
    /// How keys and values are kept: F32, BF16 or Q8_0 on a processor, F32, F16 or BF16 on a GPU; null takes F32 on a processor and what activations have on a GPU.
    /// Outputs depend on it, but not on how work is batched.
    /// </summary>
    public DType? KvCacheDType { get; init; }

    /// <summary>Part of the process's memory that KV may take on a processor where <see cref="KvCacheBytes"/> does not say it.</summary>
    internal double ProcessMemoryShare { get; init; } = 0.4;

    /// <summary>The KV type on a processor.</summary>
    internal DType KvType => KvCacheDType ?? DType.F32;

    /// <summary>Share of a GPU's memory that weights, activations and KV cache may take together. Default 0.9.</summary>
    public double GpuMemoryUtilization { get; init; } = 0.9;

    /// <summary>
    /// Bytes of a GPU that KV cache, graphs and activations may take together, beside what <see cref="GpuMemoryUtilization"/> allows: what a node's ledger has left for
    /// them. Null sets no such limit.
    /// </summary>
    public long? GpuMemoryBytes { get; init; }

    /// <summary>Whether steps are launched kernel by kernel, never as CUDA graphs.</summary>
    public bool EnforceEager { get; init; }

    /// <summary>Whether a GPU's results must not depend on what else is in a step, at some cost in speed. A processor's never do.</summary>
    public bool Deterministic { get; init; }

    /// <summary>The part of these sizes for a shard of <paramref name="held"/> of <paramref name="layers"/> layers, beside the other shards in one process.</summary>
    public ExecutorOptions ForShard(int held, int layers) => this with
    {
        KvCacheBytes = KvCacheBytes is { } bytes ? (long)((Int128)bytes * held / layers) : null,
        ProcessMemoryShare = ProcessMemoryShare * held / layers,
        GpuMemoryUtilization = GpuMemoryUtilization * held / layers,
        GpuMemoryBytes = GpuMemoryBytes is { } most ? (long)((Int128)most * held / layers) : null,
    };

    /// <summary>The part of these sizes for one of <paramref name="ranks"/> that split each layer; a GPU of its own gives as much of itself as to one rank alone.</summary>
    public ExecutorOptions ForRank(int ranks) => this with
    {
        KvCacheBytes = KvCacheBytes / ranks,
        ProcessMemoryShare = ProcessMemoryShare / ranks,
    };
}
