using System.Diagnostics;

namespace MmCluster.Cluster.Tests;

/// <summary>Waits for what other threads bring about; fails with a reason rather than hanging.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    public static Task TrueAsync(Func<bool> condition, string otherwise) => TrueAsync(condition, () => otherwise);

    public static Task TrueAsync(Func<bool> condition, Func<string> otherwise) => TrueAsync(() => Task.FromResult(condition()), otherwise);

    public static async Task TrueAsync(Func<Task<bool>> condition, Func<string> otherwise)
    {
        long start = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Patience, otherwise());
            // A breath, so that those who are waited for get the processor.
            await Task.Delay(1);
        }
    }
}
