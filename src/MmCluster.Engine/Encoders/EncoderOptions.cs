namespace MmCluster.Engine.Encoders;

/// <summary>How an encoder batches and caches.</summary>
public sealed record EncoderOptions
{
    /// <summary>Cost a batch at most, in the encoder's unit (pixels); a single item may exceed it. Default 1,000,000: six pictures of 384 x 384.</summary>
    public long MaxBatchCost { get; init; } = 1_000_000;

    /// <summary>Bytes of features kept that no request holds. Default 256 MiB.</summary>
    public long CacheBytes { get; init; } = 256L << 20;

    /// <summary>On a GPU: features do not depend on what is encoded beside them (<see cref="ExecutorOptions.Deterministic"/>).</summary>
    public bool Deterministic { get; init; }

    /// <summary>Is told how long items waited and batches took, or null.</summary>
    public IStageTimings? Timings { get; init; }
}
