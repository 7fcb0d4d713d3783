namespace MmCluster.Engine.TensorParallel;

/// <summary>An executor that can be one rank of several: behind a step that failed on any of them all begin anew.</summary>
internal interface IRankExecutor : IModelExecutor
{
    /// <summary>Drops all slots and plans in flight, as its own failure would, and what it has recorded of the ranks' calls: their group is aborted.</summary>
    void Reset();

    /// <summary>Makes what <see cref="Reset"/> has dropped besides slots anew, on the rank's thread and at the same time as the others: their group is restored.</summary>
    void Restore();
}
