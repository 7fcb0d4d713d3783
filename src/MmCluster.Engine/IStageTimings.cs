namespace MmCluster.Engine;

/// <summary>Is told how long a stage's work waited and took. Called on the stage's own thread: it must be quick and allocate nothing.</summary>
public interface IStageTimings
{
    /// <summary>A request or an item has begun to be computed.</summary>
    /// <param name="waited">Since it was accepted.</param>
    void Began(TimeSpan waited);

    /// <summary>A step or a batch is done.</summary>
    /// <param name="took">What it took.</param>
    void Computed(TimeSpan took);
}
