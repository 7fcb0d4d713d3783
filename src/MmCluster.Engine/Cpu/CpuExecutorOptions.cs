using MmCluster.Tensors;

namespace MmCluster.Engine.Cpu;

/// <summary>Sizes of a CPU executor.</summary>
public sealed record CpuExecutorOptions
{
    /// <summary>Sequences that may hold a slot. Default 256.</summary>
    public int MaxSlots { get; init; } = 256;

    /// <summary>Positions a step. Default 2,048: its activations take this times the network's width.</summary>
    public int MaxBatchedTokens { get; init; } = 2048;

    /// <summary>Longest sequence; null takes the network's.</summary>
    public int? MaxModelLength { get; init; }

    /// <summary>
    /// Bytes of KV cache; null takes what <see cref="MaxSlots"/> sequences of full length need, but at most 40 % of the process's memory. The system
    /// gives memory as blocks are first written.
    /// </summary>
    public long? KvCacheBytes { get; init; }

    /// <summary>How keys and values are kept: F32 (default), BF16 or Q8_0. Outputs depend on it, but not on how work is batched.</summary>
    public DType KvCacheDType { get; init; } = DType.F32;
}
