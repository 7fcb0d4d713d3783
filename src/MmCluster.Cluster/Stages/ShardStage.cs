using MmCluster.Cluster.Status;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.TensorLink.Channels;
using MmCluster.Cluster.Wire;
using MmCluster.Engine.Pipeline;
using MmCluster.Models;

namespace MmCluster.Cluster.Stages;

/// <summary>
/// A later shard of a backbone replica. It serves one life of its replica: when a channel breaks it has failed, is unloaded, and another takes its place. Safe
/// to call from any thread.
/// </summary>
internal sealed class ShardStage(IModelShard shard, IDisposable weights, long bytes, TensorLinkEndpoint link) : IStage
{
    private readonly Lock _gate = new();
    private readonly ShardFacts _facts = ShardFacts.Of(shard.Describe(), shard.Spec.HiddenSize);
    private LinkShardReader? _input;
    private ShardWorker? _worker;
    private volatile bool _draining;

    public long Bytes => bytes;

    public bool IsIdle => _draining;

    /// <summary>What it can hold; null once it belongs to a replica.</summary>
    public ShardFacts? Offer
    {
        get
        {
            lock (_gate)
            {
                return _worker is null ? _facts : null;
            }
        }
    }

    private bool IsBroken => _worker is { Ended.IsCompleted: true };

    /// <summary>Makes its receiving end; one of an earlier try is closed.</summary>
    /// <exception cref="MmException">Unavailable: it belongs to a replica already.</exception>
    public ChannelRef Expect(ChannelShape shape)
    {
        lock (_gate)
        {
            Check(_worker is null);
            _input?.Dispose();
            _input = link.ExpectChannel(shape, shard.RowsDevice);
            return _input.Ref;
        }
    }

    /// <summary>Connects its sending end and starts.</summary>
    /// <exception cref="MmException">Unavailable: the other end is gone.</exception>
    public async Task ConnectAsync(ChannelRef next, CancellationToken cancellationToken)
    {
        LinkShardWriter output = await link.OpenChannelAsync(next, cancellationToken, shard.RowsDevice);
        lock (_gate)
        {
            try
            {
                Check(_worker is null && _input is not null);
                _worker = new ShardWorker(shard, _input!, output);
            }
            catch
            {
                output.Dispose();
                throw;
            }
        }
    }

    public StageView Describe(StageView view) => view with
    {
        IsBroken = IsBroken,
        Status = view.Status with
        {
            State = IsBroken ? StageState.Failed : _draining ? StageState.Draining : StageState.Ready,
            Problem = IsBroken ? _worker!.Ended.Exception?.InnerException?.Message ?? "the shard has ended" : null,
        },
    };

    public void Drain() => _draining = true;

    // The channels close: the replica's other shards learn of it.
    public void Break(MmException reason)
    {
        lock (_gate)
        {
            _worker?.Close();
            _input?.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        ShardWorker? worker;
        lock (_gate)
        {
            worker = _worker;
            _input?.Dispose();
        }
        if (worker is null)
        {
            shard.Dispose();
        }
        else
        {
            worker.Close();
            // The thread disposes of the shard; the weights must outlive it.
            await worker.Ended.ContinueWith(static ended => _ = ended.Exception, TaskScheduler.Default);
        }
        weights.Dispose();
    }

    private static void Check(bool holds)
    {
        if (!holds)
        {
            throw new MmException(MmErrorCode.Unavailable, "the shard belongs to a replica already");
        }
    }
}
