namespace MmCluster.Cli.Evaluation;

/// <summary>The evaluation's generator (Steele, Lea, Flood 2014): integers only, so that any language draws the same. Not thread-safe.</summary>
internal sealed class SplitMix64(ulong seed)
{
    private ulong _state = seed;

    /// <summary>A whole number from 0 to <paramref name="n"/> - 1: the next value's upper 31 bits, modulo <paramref name="n"/>.</summary>
    public int Below(int n)
    {
        _state += 0x9E3779B97F4A7C15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return (int)(((z ^ (z >> 31)) >> 33) % (uint)n);
    }

    /// <summary>A whole number of a range, both ends included.</summary>
    public int In(Range32 range) => range.Low + Below(range.High - range.Low + 1);
}
