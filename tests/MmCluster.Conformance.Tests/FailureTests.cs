using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MmCluster.Conformance.Grains;

namespace MmCluster.Conformance;

/// <summary>Silos that die, and silos that leave.</summary>
public sealed class FailureTests : IAsyncLifetime
{
    private const int Grains = 60;
    private static readonly TimeSpan Rate = TimeSpan.FromMilliseconds(1);

    private readonly ProcessCluster _cluster = new();

    // The originals' silos may ask the dead one's part of the directory for a moment, and reject calls to live grains for it.
    private static bool IsEmbedded => typeof(Grain).Assembly.GetName().Name == "MmCluster.Embedded.Orleans";

    private IHost? _own;

    public async ValueTask InitializeAsync()
    {
        await _cluster.InitializeAsync();
        // Calls are made from a silo: a client's could be lost with the gateway that they go through.
        _own = await _cluster.JoinAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _own!.StopAsync();
        _own.Dispose();
        await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task Grains_of_a_killed_silo_live_elsewhere_within_six_seconds_and_others_lose_nothing()
    {
        for (int round = 0; round < 3; round++)
        {
            SiloProcess victim = _cluster.Silos[0];
            string dead = victim.Address.ToParsableString();
            string[] keys = [.. Enumerable.Range(0, Grains).Select(i => $"round{round}-{i}")];
            string[] places = await Task.WhenAll(keys.Select(key => Grain(key).Where()));
            Assert.Contains(dead, places);
            ConcurrentBag<(string Place, Exception Error)> failures = [];
            using CancellationTokenSource stop = new();
            Task load = LoadAsync(keys, places, failures, stop.Token);
            await victim.KillAsync();
            _cluster.Silos.Remove(victim);
            Stopwatch since = Stopwatch.StartNew();
            foreach (string key in keys.Where((_, i) => places[i] == dead))
            {
                await UntilAnsweredAsync(() => Grain(key).Where(), dead);
            }
            TimeSpan elsewhere = since.Elapsed;
            await stop.CancelAsync();
            await load;
            Assert.True(elsewhere < TimeSpan.FromSeconds(6), $"the grains were active elsewhere only after {elsewhere}");
            if (IsEmbedded)
            {
                Assert.DoesNotContain(failures, failure => failure.Place != dead);
            }
            Assert.All(failures, failure => Assert.True(
                failure.Error is SiloUnavailableException or OrleansMessageRejectionException or TimeoutException, failure.Error.ToString()));
            await _cluster.AddAsync("gpu");
        }
    }

    [Fact]
    public async Task A_silo_that_leaves_hands_over_and_no_call_fails()
    {
        string[] keys = [.. Enumerable.Range(0, Grains).Select(i => $"leave-{i}")];
        string[] places = await Task.WhenAll(keys.Select(key => Grain(key).Where()));
        SiloProcess leaving = _cluster.Silos[0];
        Assert.Contains(leaving.Address.ToParsableString(), places);
        await leaving.StopAsync();
        foreach (string key in keys)
        {
            await UntilAnsweredAsync(() => Grain(key).Where(), leaving.Address.ToParsableString());
        }
    }

    private IRandomGrain Grain(string key) => _own!.Services.GetRequiredService<IGrainFactory>().GetGrain<IRandomGrain>(key);

    // About a thousand calls a second to grains of all silos.
    private async Task LoadAsync(string[] keys, string[] places, ConcurrentBag<(string, Exception)> failures, CancellationToken stop)
    {
        using PeriodicTimer timer = new(Rate);
        List<Task> calls = [];
        int next = 0;
        while (!stop.IsCancellationRequested && await timer.WaitForNextTickAsync(CancellationToken.None))
        {
            int index = next++ % keys.Length;
            calls.Add(CallAsync(keys[index], places[index]));
        }
        await Task.WhenAll(calls);

        async Task CallAsync(string key, string place)
        {
            try
            {
                await Grain(key).Where();
            }
            catch (Exception error)
            {
                failures.Add((place, error));
            }
        }
    }

    private static async Task UntilAnsweredAsync(Func<Task<string>> where, string not)
    {
        Stopwatch since = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                Assert.NotEqual(not, await where());
                return;
            }
            catch (OrleansException) when (since.Elapsed < TimeSpan.FromSeconds(30))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken);
            }
        }
    }
}
