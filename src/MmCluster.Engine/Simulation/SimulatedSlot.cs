namespace MmCluster.Engine.Simulation;

/// <summary>A sequence's slot on the first shard: the token history that all shards share.</summary>
internal sealed class SimulatedSlot(SlotStart source)
{
    public SlotStart Source { get; } = source;

    /// <summary>Prompt, then what was sampled.</summary>
    public List<int> Tokens { get; } = [.. source.Tokens.Span];

    /// <summary>Of those, how many the caller knows.</summary>
    public int Known { get; set; } = source.Tokens.Length;
}
