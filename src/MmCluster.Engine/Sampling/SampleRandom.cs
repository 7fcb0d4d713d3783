using MmCluster.Tensors;

namespace MmCluster.Engine.Sampling;

/// <summary>The random number of an output position.</summary>
internal static class SampleRandom
{
    /// <summary>64 random bits for an output position of a choice: Philox of counter (position, choice, 0, 0).</summary>
    public static ulong Bits(ulong seed, int choice, int position)
    {
        (uint high, uint low, _, _) = Philox.Next((uint)position, (uint)choice, 0, 0, seed);
        return ((ulong)high << 32) | low;
    }

    /// <summary>A number from 0 to <paramref name="total"/> - 1 from 64 random bits, as likely as any other but for 2^-64.</summary>
    public static ulong Below(ulong bits, ulong total) => Math.BigMul(bits, total, out _);
}
