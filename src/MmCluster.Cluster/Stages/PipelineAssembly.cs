using MmCluster.Cluster.Grains;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.TensorLink.Channels;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Engine.Pipeline;
using MmCluster.Models;

namespace MmCluster.Cluster.Stages;

/// <summary>
/// Joins a backbone's first shard with those on other nodes to one executor: waits until they are loaded, then connects channels along them and from the last to the first.
/// </summary>
internal sealed class PipelineAssembly(IGrainFactory grains, TensorLinkEndpoint link, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    /// <summary>An executor over <paramref name="first"/> and the shards of <paramref name="key"/>; it is lost when a channel breaks.</summary>
    public async Task<PipelineExecutor> AssembleAsync(string key, IModelShard first, int shards, CancellationToken cancellationToken)
    {
        IBackboneShardGrain[] others = [.. Enumerable.Range(1, shards - 1).Select(shard => grains.GetGrain<IBackboneShardGrain>($"{key}/{shard}"))];
        ShardFacts[] facts = new ShardFacts[others.Length];
        for (int i = 0; i < others.Length; i++)
        {
            facts[i] = await OfferOfAsync(others[i], cancellationToken);
        }
        ExecutorDescription[] descriptions = [.. facts.Select(shard => shard.ToDescription())];
        ExecutorDescription joined = PipelineExecutor.Join(first.Describe(), descriptions);
        LinkShardReader results = link.ExpectChannel(ChannelShape.Of(PipelineChannels.Results(joined)));
        LinkShardWriter? output = null;
        try
        {
            var shape = ChannelShape.Of(PipelineChannels.Between(joined, first.Spec.HiddenSize));
            ChannelRef[] inputs = await Task.WhenAll(others.Select(other => other.ExpectAsync(shape.Frames, shape.Rows, shape.Width)));
            await Task.WhenAll(others.Select((other, i) => other.ConnectAsync(i + 1 < inputs.Length ? inputs[i + 1] : results.Ref)));
            output = await link.OpenChannelAsync(inputs[0], cancellationToken, first.RowsDevice);
            PipelineExecutor executor = new(first, output, results, descriptions);
            // An idle executor would not notice.
            _ = Task.WhenAny(results.Closed, output.Closed).ContinueWith(_ => executor.Break(), TaskScheduler.Default);
            return executor;
        }
        catch
        {
            output?.Dispose();
            results.Dispose();
            throw;
        }
    }

    // Shards load as long as the first one does, and are placed by the same planner.
    private async Task<ShardFacts> OfferOfAsync(IBackboneShardGrain shard, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                if (await shard.OfferAsync() is { } facts)
                {
                    return facts;
                }
            }
            catch (Exception error) when (error is StageNotPlacedException or OrleansException or TimeoutException or MmException { Retryable: true })
            {
                // Not there yet.
            }
            await Task.Delay(Pause, time, cancellationToken);
        }
    }
}
