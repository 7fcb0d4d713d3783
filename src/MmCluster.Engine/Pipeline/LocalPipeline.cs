using MmCluster.Tensors;

namespace MmCluster.Engine.Pipeline;

/// <summary>Shards as threads of one process.</summary>
public static class LocalPipeline
{
    /// <summary>An executor over <paramref name="shards"/>, in order, which it then owns; at least two.</summary>
    /// <exception cref="ArgumentException">They do not belong together.</exception>
    public static PipelineExecutor Create(IReadOnlyList<IModelShard> shards)
    {
        for (int i = 1; i < shards.Count; i++)
        {
            if (shards[i].Spec.FirstLayer != shards[i - 1].Spec.EndLayer)
            {
                throw new ArgumentException($"pipeline: layer {shards[i].Spec.FirstLayer} does not follow on {shards[i - 1].Spec.EndLayer}");
            }
        }
        ExecutorDescription[] others = [.. shards.Skip(1).Select(shard => shard.Describe())];
        ExecutorDescription joined = PipelineExecutor.Join(shards[0].Describe(), others);
        LocalShardChannel[] between = [.. shards.Skip(1).Select((shard, i) =>
            Channel(PipelineChannels.Between(joined, shard.Spec.HiddenSize), RowsBetween(shards[i].RowsDevice, shard.RowsDevice)))];
        LocalShardChannel results = Channel(PipelineChannels.Results(joined), Device.Cpu);
        ShardWorker[] workers = [.. shards.Skip(1).Select((shard, i) => new ShardWorker(shard, between[i], i + 1 < between.Length ? between[i + 1] : results))];
        return new PipelineExecutor(shards[0], between[0], results, others, workers);
    }

    // Rows from a GPU to a GPU stay on the sender's, and are fetched from there; others go through the host.
    private static Device RowsBetween(Device from, Device to) => from.IsCpu || to.IsCpu ? Device.Cpu : from;

    private static LocalShardChannel Channel(PipelineChannels shape, Device device) => new(shape.Frames, shape.Rows, shape.Width, device);
}
