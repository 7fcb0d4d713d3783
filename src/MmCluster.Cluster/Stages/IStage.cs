using MmCluster.Cluster.Wire;
using MmCluster.Models;

namespace MmCluster.Cluster.Stages;

/// <summary>A stage that is loaded in this process. Safe to call from any thread; it computes on threads of its own.</summary>
internal interface IStage : IAsyncDisposable
{
    /// <summary>Bytes that it holds of each of its devices: weights, KV, workspace.</summary>
    long Bytes { get; }

    /// <summary>Whether it has nothing to do and takes nothing new.</summary>
    bool IsIdle { get; }

    /// <summary>Adds what it has to do, and what routes need, to a view of it.</summary>
    StageView Describe(StageView view);

    /// <summary>Its device is gone: it takes nothing more, and what it has ends with <paramref name="reason"/>.</summary>
    void Break(MmException reason);

    /// <summary>Takes no new requests.</summary>
    void Drain();
}
