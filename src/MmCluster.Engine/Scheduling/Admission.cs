namespace MmCluster.Engine.Scheduling;

/// <summary>What came of starting a waiting sequence.</summary>
internal enum Admission
{
    /// <summary>It holds a slot and is in the step.</summary>
    Started,

    /// <summary>It left the queue until its media are ready.</summary>
    Parked,

    /// <summary>It waits on: no blocks, or not enough of the step left for a span that must be whole.</summary>
    NoRoom,
}
