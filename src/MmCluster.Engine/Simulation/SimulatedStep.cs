namespace MmCluster.Engine.Simulation;

/// <summary>A plan on its way through the shards.</summary>
internal sealed class SimulatedStep
{
    /// <summary>The plan; its memory is the scheduler's until the result is taken.</summary>
    public StepPlan Plan { get; private set; }

    /// <summary>The plan's ends; a plan without chunks has no memory of its own once the call returned.</summary>
    public List<int> Ends { get; } = [];

    /// <summary>Each chunk's slot as the first shard knew it.</summary>
    public List<SimulatedSlot> Slots { get; } = [];

    /// <summary>What the positions of all chunks hold; goes from shard to shard.</summary>
    public List<ulong> Inputs { get; } = [];

    public StepResult Result { get; } = new();

    public bool HasChunks { get; private set; }

    /// <summary>Shards passed.</summary>
    public int Passed { get; set; }

    /// <summary>When the last shard is through.</summary>
    public DateTimeOffset Due { get; set; }

    public void Begin(in StepPlan plan)
    {
        HasChunks = plan.Chunks.Length > 0;
        Plan = HasChunks ? plan : default;
        Ends.Clear();
        Ends.AddRange(plan.Ends.Span);
        Slots.Clear();
        Inputs.Clear();
        Result.Clear();
        Passed = 0;
        Due = default;
    }
}
