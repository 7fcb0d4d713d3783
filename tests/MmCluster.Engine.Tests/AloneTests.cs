namespace MmCluster.Engine.Tests;

/// <summary>Tests that count allocations: collections that tests beside them cause would be counted too.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneTests
{
    /// <summary>What such classes name.</summary>
    public const string Name = "alone";
}
