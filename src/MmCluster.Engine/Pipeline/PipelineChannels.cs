namespace MmCluster.Engine.Pipeline;

/// <summary>How many frames a channel of a pipeline needs, and how many rows each has.</summary>
/// <param name="Frames">Messages in flight.</param>
/// <param name="Rows">Rows of activations a message.</param>
/// <param name="Width">Elements a row.</param>
public readonly record struct PipelineChannels(int Frames, int Rows, int Width)
{
    /// <summary>Frames from a shard to the next.</summary>
    public const int FramesBetween = 2;

    /// <summary>From a shard to the next: one frame is filled while one is read.</summary>
    /// <param name="joined">The pipeline, <see cref="PipelineExecutor.Join"/>.</param>
    /// <param name="width">The network's hidden size.</param>
    public static PipelineChannels Between(ExecutorDescription joined, int width) => new(FramesBetween, joined.MaxBatchedTokens, width);

    /// <summary>
    /// From the last shard to the executor: room for all plans of a generation that fails and of the next one, so that the last shard never waits for an executor that
    /// waits for it.
    /// </summary>
    public static PipelineChannels Results(ExecutorDescription joined) => new(2 * (joined.PipelineDepth + 1), 0, 0);
}
