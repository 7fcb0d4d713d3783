using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MmCluster.Bench.Engine;

/// <summary>What F32 multiply-adds the machine gives at this moment, in registers, on so many threads.</summary>
internal static class FmaPeak
{
    private const int Chains = 12;
    private const int Rounds = 40_000_000;
    private static volatile float _sink;

    /// <summary>GFLOP/s; takes some tenths of a second.</summary>
    public static double Measure(int threads)
    {
        Thread[] others = [.. Enumerable.Range(1, threads - 1).Select(_ => new Thread(Chain))];
        long start = Stopwatch.GetTimestamp();
        foreach (Thread thread in others)
        {
            thread.Start();
        }
        Chain();
        foreach (Thread thread in others)
        {
            thread.Join();
        }
        return threads * (double)Rounds * Chains * 2 * Vector512<float>.Count / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Chain()
    {
        Vector512<float> x = Vector512.Create(0.5f), y = Vector512.Create(0.99f);
        Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int r = 0; r < Rounds; r++)
        {
            a = Vector512.FusedMultiplyAdd(a, y, x);
            b = Vector512.FusedMultiplyAdd(b, y, x);
            c = Vector512.FusedMultiplyAdd(c, y, x);
            d = Vector512.FusedMultiplyAdd(d, y, x);
            e = Vector512.FusedMultiplyAdd(e, y, x);
            f = Vector512.FusedMultiplyAdd(f, y, x);
            g = Vector512.FusedMultiplyAdd(g, y, x);
            h = Vector512.FusedMultiplyAdd(h, y, x);
            i = Vector512.FusedMultiplyAdd(i, y, x);
            j = Vector512.FusedMultiplyAdd(j, y, x);
            k = Vector512.FusedMultiplyAdd(k, y, x);
            l = Vector512.FusedMultiplyAdd(l, y, x);
        }
        _sink = Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}
