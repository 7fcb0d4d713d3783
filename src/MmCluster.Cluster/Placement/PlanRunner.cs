using MmCluster.Cluster.Grains;
using MmCluster.Cluster.Wire;
using Orleans.Runtime.Placement;

namespace MmCluster.Cluster.Placement;

/// <summary>Carries out what a planner decided. What fails is decided anew in the next round. Belongs to one grain.</summary>
internal sealed class PlanRunner(IGrainFactory grains, string model, TimeProvider time)
{
    // Loading again at once what has just failed would fail again and hide why.
    private static readonly TimeSpan FailurePause = TimeSpan.FromSeconds(10);

    private readonly Dictionary<string, DateTimeOffset> _failures = [];

    /// <summary>All actions, in order, or those before <paramref name="stopping"/>; the first exception is thrown after the others were tried.</summary>
    public async Task RunAsync(IReadOnlyList<StageAction> actions, CancellationToken stopping)
    {
        Exception? first = null;
        foreach (StageAction action in actions)
        {
            if (stopping.IsCancellationRequested)
            {
                return;
            }
            try
            {
                await RunAsync(action);
            }
            catch (StageNotPlacedException)
            {
                // Its node is gone: the next look will not show it.
            }
            catch (Exception error)
            {
                first ??= error;
            }
        }
        if (first is not null)
        {
            throw new InvalidOperationException($"an action of '{model}' failed: {first.Message}", first);
        }
    }

    private async Task RunAsync(StageAction action)
    {
        switch (action)
        {
            case StageAction.Place place:
                await PlaceAsync(place);
                break;
            case StageAction.Attach attach:
                await Stage(attach.Spec.Kind, attach.Spec.Key).LoadAsync(attach.Spec);
                break;
            case StageAction.Detach detach:
                if (await Stage(detach.Kind, detach.Key).DetachAsync(model, detach.Revision))
                {
                    await Stage(detach.Kind, detach.Key).DrainAsync();
                }
                break;
            case StageAction.Drain drain:
                await Stage(drain.Kind, drain.Key).DrainAsync();
                break;
            case StageAction.Unload unload:
                if (!unload.IsFailed || IsDue(unload.Key))
                {
                    await Stage(unload.Kind, unload.Key).UnloadAsync();
                }
                break;
            default:
                throw new System.Diagnostics.UnreachableException($"no way to {action.GetType().Name}");
        }
    }

    // Memory first, then the activation: the director puts it where the memory is, or nowhere.
    private async Task PlaceAsync(StageAction.Place place)
    {
        foreach (string address in place.Nodes)
        {
            INodeGrain node = grains.GetGrain<INodeGrain>(address);
            if (!await ReserveAsync(node, place.Spec))
            {
                continue;
            }
            RequestContext.Set(IPlacementDirector.PlacementHintKey, SiloAddress.FromParsableString(address));
            try
            {
                await Stage(place.Spec.Kind, place.Spec.Key).LoadAsync(place.Spec);
            }
            finally
            {
                RequestContext.Remove(IPlacementDirector.PlacementHintKey);
            }
            // Where another model was faster, the stage is on its node and this promise is not needed.
            await node.ReleaseAsync(place.Spec.Key);
            return;
        }
    }

    // A node of a release that knows no spans can still be asked for one device.
    private static Task<bool> ReserveAsync(INodeGrain node, StageSpec spec) => spec.DeviceCount == 1
        ? node.ReserveAsync(spec.Key, spec.Device, spec.Bytes)
        : node.ReserveSpanAsync(spec.Key, spec.Device, spec.Bytes, spec.DeviceCount);

    private IStageGrain Stage(StageKind kind, string key) => kind switch
    {
        StageKind.Encoder => grains.GetGrain<IEncoderGrain>(key),
        StageKind.Backbone => grains.GetGrain<IBackboneGrain>(key),
        StageKind.Generator => grains.GetGrain<IGeneratorGrain>(key),
        StageKind.Shard => grains.GetGrain<IBackboneShardGrain>(key),
        _ => throw new NotSupportedException($"no grain for {kind} {key}"),
    };

    private bool IsDue(string key)
    {
        DateTimeOffset now = time.GetUtcNow();
        _failures.TryAdd(key, now + FailurePause);
        return now >= _failures[key] && _failures.Remove(key);
    }
}
