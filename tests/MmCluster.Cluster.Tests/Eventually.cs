using System.Diagnostics;

namespace MmCluster.Cluster.Tests;

/// <summary>Waits for what other threads bring about; fails with a reason rather than hanging.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static async Task TrueAsync(Func<bool> condition, string otherwise)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Patience, otherwise);
            await Task.Yield();
        }
    }
}
