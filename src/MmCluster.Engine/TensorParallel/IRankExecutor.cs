namespace MmCluster.Engine.TensorParallel;

/// <summary>An executor that can be one rank of several: it drops its slots when another rank has failed.</summary>
internal interface IRankExecutor : IModelExecutor
{
    /// <summary>Drops all slots and plans in flight, as its own failure would.</summary>
    void Reset();
}
