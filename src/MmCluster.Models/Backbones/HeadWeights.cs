using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Backbones;

/// <summary>Token embeddings, in the packed form that a tied head multiplies with.</summary>
internal sealed class TokenEmbedding(Linear table)
{
    /// <summary>[T] ids to [T, width].</summary>
    public Tensor Forward(Tensor ids) => table.Weight.Rows(ids);
}

/// <summary>
/// Embedding and head of a decoder, or of a shard of it. The head is the embedding where the configuration ties them and the file does not hold a head
/// of its own that differs.
/// </summary>
internal sealed class HeadWeights
{
    public HeadWeights(WeightSource head, WeightSource embedding, int vocabulary, int width, bool tied, LayerRange shard, int layers)
    {
        bool shared = tied && (head.Find("weight") is not { } own || (embedding.Find("weight") is { } table && own.HasSameBytes(table)));
        bool isLast = shard.End == layers;
        // Over several ranks the embedding is whole on each, and of the head each has its own rows.
        bool together = shared && embedding.Options.Group is null;
        Linear? rows = shard.First == 0 || (isLast && together) ? new Linear(embedding, width, vocabulary, bias: false) : null;
        if (rows is null)
        {
            embedding.LeaveOut();
        }
        if (shared || !isLast)
        {
            head.LeaveOut();
        }
        Embedding = shard.First == 0 ? new TokenEmbedding(rows!) : null;
        Head = !isLast ? null : together ? rows : new ParallelHead(shared ? embedding : head, width, vocabulary);
    }

    /// <summary>On the first shard.</summary>
    public TokenEmbedding? Embedding { get; }

    /// <summary>On the last shard.</summary>
    public Linear? Head { get; }
}
