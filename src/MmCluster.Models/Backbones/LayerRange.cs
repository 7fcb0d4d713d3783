using MmCluster.Models.Checkpoints;

namespace MmCluster.Models.Backbones;

/// <summary>Layers [First, End) of a network: a pipeline shard. The first shard has the embedding, the last one norm and head.</summary>
public readonly record struct LayerRange(int First, int End)
{
    /// <summary>All layers, however many there are.</summary>
    public static LayerRange All { get; } = new(0, int.MaxValue);

    /// <summary>Of how many equal parts of a network <see cref="First"/> names one; 0 where the range is of layers.</summary>
    private int Parts { get; init; }

    /// <summary>Part <paramref name="index"/> of <paramref name="count"/> parts as equal as can be, whatever the number of layers turns out to be.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such part.</exception>
    public static LayerRange Part(int index, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)count, nameof(index));
        return new LayerRange(index, index + 1) { Parts = count };
    }

    /// <summary>The range in a network of <paramref name="layers"/>: parts become layers, the end is cut.</summary>
    /// <exception cref="ArgumentException">It is empty or starts outside.</exception>
    public LayerRange Within(int layers) => Parts > layers ? throw new ArgumentException($"a network of {layers} layers has no {Parts} parts")
        : Parts > 0 ? new LayerRange((int)((long)layers * First / Parts), (int)((long)layers * End / Parts))
        : First >= 0 && First < Math.Min(End, layers) ? this with { End = Math.Min(End, layers) }
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
