namespace MmCluster.Engine.Tests.Simulation;

/// <summary>Ways to schedule the same requests, which must not show in what comes of them.</summary>
internal static class SchedulingWays
{
    public static IReadOnlyList<string> All { get; } = ["batched", "chunked", "preempted", "cached", "drafted"];

    /// <summary>The tokens of each request's choices.</summary>
    /// <param name="way">One of <see cref="All"/>.</param>
    /// <param name="drive">An engine with so many blocks of KV.</param>
    /// <param name="scarceBlocks">Too few for all requests at once.</param>
    /// <param name="requests">Eight at most, each to its greatest length.</param>
    public static Dictionary<(string, int), List<int>> Run(string way, Func<EngineOptions, int, EngineDriver> drive, int scarceBlocks, IEnumerable<EngineRequest> requests)
    {
        EngineOptions options = new() { MaxNumSeqs = 8, MaxNumBatchedTokens = 256, EnablePrefixCaching = way == "cached" };
        options = way switch
        {
            "chunked" => options with { MaxNumBatchedTokens = 11 },
            "drafted" => options with { SpeculativeTokens = 3, PromptLookupMin = 1 },
            _ => options,
        };
        using EngineDriver driver = drive(options, way == "preempted" ? scarceBlocks : 512);
        foreach (EngineRequest request in requests)
        {
            driver.Submit(request);
            if (way == "cached")
            {
                driver.RunToEnd();
            }
        }
        driver.RunToEnd();
        Assert.All(driver.Results.Values, result => Assert.Equal(FinishReason.Length, result.Finish));
        Assert.True(way != "preempted" || driver.Core.Scheduler.Preemptions > 0);
        Assert.True(way != "cached" || driver.Core.Scheduler.Kv.CacheHits > 0);
        return driver.Results.ToDictionary(pair => pair.Key, pair => pair.Value.Tokens);
    }
}
