namespace MmCluster.Engine.Scheduling;

/// <summary>A request inside the engine.</summary>
internal sealed class RequestState(EngineRequest request, PromptLayout layout, int priority, int blockSize)
{
    public EngineRequest Request { get; } = request;

    public PromptLayout Layout { get; } = layout;

    public int Priority { get; } = priority;

    /// <summary>Positions of a KV block.</summary>
    public int BlockSize { get; } = blockSize;

    /// <summary>Its choices, made when the engine's thread takes it in.</summary>
    public Sequence[] Sequences { get; set; } = [];

    /// <summary>Choices not finished.</summary>
    public int Unfinished { get; set; }

    /// <summary>Failed steps that it was part of.</summary>
    public int Replays { get; set; }

    /// <summary>When the engine's thread took it in, as its time provider counts; null once it has begun.</summary>
    public long? WaitsSince { get; set; }

    /// <summary>Compiled text constraint, or null.</summary>
    public Structured.TokenGrammar? Grammar { get; set; }
}

/// <summary>What a tenant was served, for fair queueing.</summary>
internal sealed class TenantAccount(string name)
{
    public string Name { get; } = name;

    /// <summary>Positions computed for it, on a clock shared by all: an idle tenant's stands still and is moved up when it comes back.</summary>
    public long Served { get; set; }

    /// <summary>Its sequences in the engine.</summary>
    public int Live { get; set; }
}
