using MmCluster.Models.Checkpoints;

namespace MmCluster.Models.Backbones;

/// <summary>Layers [First, End) of a network: a pipeline shard. The first shard has the embedding, the last one norm and head.</summary>
public readonly record struct LayerRange(int First, int End)
{
    /// <summary>All layers, however many there are.</summary>
    public static LayerRange All { get; } = new(0, int.MaxValue);

    /// <summary>The range with its end cut to <paramref name="layers"/>.</summary>
    /// <exception cref="ArgumentException">It is empty or starts outside.</exception>
    public LayerRange Within(int layers) => First >= 0 && First < Math.Min(End, layers)
        ? this with { End = Math.Min(End, layers) }
        : throw new ArgumentException($"layers {First} to {End} of a network of {layers}: no layers");

    /// <summary>Makes the layers of the range from a list of weights and lets the others stay unread.</summary>
    internal T[] Build<T>(WeightSource list, int layers, Func<int, WeightSource, T> make)
    {
        List<T> made = [];
        for (int i = 0; i < layers; i++)
        {
            if (i >= First && i < End)
            {
                made.Add(make(i, list[i]));
            }
            else
            {
                list[i].LeaveOut();
            }
        }
        return [.. made];
    }
}
