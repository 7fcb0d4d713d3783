namespace MmCluster.Cluster;

/// <summary>
/// A stage is on no node, not on the one that was asked, or not loaded there: a stray call never loads a model. Whoever gets it asks the model's grain for its routes.
/// </summary>
[GenerateSerializer, Alias("mm.StageNotPlaced")]
public sealed class StageNotPlacedException : Exception
{
    /// <summary>The stage of that key is not placed.</summary>
    public StageNotPlacedException(string stage)
        : base($"stage {stage} is not placed")
    {
        Stage = stage;
    }

    /// <summary>The key of the stage.</summary>
    [Id(0)]
    public string Stage { get; private set; }
}
