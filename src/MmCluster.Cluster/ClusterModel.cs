using MmCluster.Engine;
using MmCluster.Models.Cards;

namespace MmCluster.Cluster;

/// <summary>A deployed model as callers see it. A snapshot: <see cref="IModelCluster.Models"/> has the newest.</summary>
public sealed class ClusterModel
{
    private readonly Func<int, string?> _tokenText;

    internal ClusterModel(Func<int, string?> tokenText) => _tokenText = tokenText;

    /// <summary>The name that requests use.</summary>
    public required string Name { get; init; }

    /// <summary>The revision that takes requests; empty while none is loaded.</summary>
    public required string Revision { get; init; }

    /// <summary>The revisions that a request may name: the current one first, and during a rollout the next once it can serve.</summary>
    public IReadOnlyList<string> Revisions { get; init; } = [];

    /// <summary>When it was deployed.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Prompt and output tokens together; 0 while nothing is loaded.</summary>
    public required int MaxModelLength { get; init; }

    /// <summary>Token ids are below this; 0 while nothing is loaded.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Media that it takes besides text.</summary>
    public IReadOnlyList<Modality> Media { get; init; } = [];

    /// <summary>Media that it may answer with besides text.</summary>
    public IReadOnlyList<Modality> Outputs { get; init; } = [];

    /// <summary>Sampling where a request leaves it open.</summary>
    public SamplingParameters DefaultSampling { get; init; } = new();

    /// <summary>Whether every stage has a replica that has run a warm-up.</summary>
    public required bool Ready { get; init; }

    /// <summary>Why it cannot be loaded, or null.</summary>
    public string? Problem { get; init; }

    /// <summary>A token as text of its own; null where this process has no tokenizer of the model.</summary>
    public string? TokenText(int token) => _tokenText(token);
}
