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
    private const int CallsASecond = 1000;

    private readonly ProcessCluster _cluster = new();

    // The originals' silos may ask the dead one's part of the directory for a moment, and reject calls to live grains for it.
    private static bool IsEmbedded => typeof(Grain).Assembly.GetName().Name == "MmCluster.Embedded.Orleans";

    private IHost? _own;

    public async ValueTask InitializeAsync()
    {
        await _cluster.InitializeAsync();
        // Most calls are made from a silo: a client's are lost with a killed gateway that they go through.
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
            string[] keys = Keys($"round{round}");
            string[] places = await PlacesAsync(keys);
            string[] orphans = [.. keys.Where((_, i) => places[i] == dead)];
            Assert.NotEmpty(orphans);
            using Load load = new(Own, keys);
            await load.ReachedAsync(CallsASecond / 2); // the kill comes in the middle of it
            await victim.KillAsync();
            _cluster.Silos.Remove(victim);
            Stopwatch since = Stopwatch.StartNew();
            await Task.WhenAll(orphans.Select(key => UntilElsewhereAsync(key, dead)));
            TimeSpan elsewhere = since.Elapsed;
            await load.StopAsync();
            Assert.True(elsewhere < TimeSpan.FromSeconds(6), $"the grains were active elsewhere only after {elsewhere}");
            Assert.True(load.Rate > CallsASecond * 0.9, $"only {load.Rate:0} calls a second were made");
            if (IsEmbedded)
            {
                Assert.DoesNotContain(load.Failures, failure => !orphans.Contains(failure.Key));
            }
            Assert.All(load.Failures, failure => Assert.True(
                failure.Error is SiloUnavailableException or OrleansMessageRejectionException or TimeoutException, failure.Error.ToString()));
            await _cluster.AddAsync("gpu");
        }
    }

    [Fact]
    public async Task A_silo_that_leaves_hands_over_and_no_call_fails()
    {
        string[] keys = Keys("leave");
        SiloProcess leaving = _cluster.Silos[0];
        string gone = leaving.Address.ToParsableString();
        Assert.Contains(gone, await PlacesAsync(keys));
        using Load load = new(Own, keys);
        await load.ReachedAsync(CallsASecond / 2);
        await leaving.StopAsync();
        await _own!.Services.GetRequiredService<IClusterMembershipService>().Refresh();
        // The first call of each finds it elsewhere; nothing is tried twice.
        string[] places = await PlacesAsync(keys);
        await load.StopAsync();
        Assert.DoesNotContain(gone, places);
        if (IsEmbedded)
        {
            Assert.Empty(load.Failures);
        }
    }

    /// <summary>Its connections are to gateways, one of which leaves while calls go through it.</summary>
    [Fact]
    public async Task A_client_loses_no_call_with_a_gateway_that_leaves()
    {
        string[] keys = Keys("through");
        SiloProcess leaving = _cluster.Silos[0];
        await PlacesAsync(keys);
        string[] others = Keys("slow");
        string[] places = await PlacesAsync(others);
        // A client that knows no grain's place yet sends to all gateways in turn: some of these calls go through the one that leaves, to grains elsewhere, which take
        // longer than it would wait for anything else.
        using IHost fresh = await _cluster.ConnectAsync();
        Task[] slow = [.. others.Where((_, i) => places[i] != leaving.Address.ToParsableString())
            .Select(key => fresh.Services.GetRequiredService<IGrainFactory>().GetGrain<IRandomGrain>(key).Rest(TimeSpan.FromSeconds(4)))];
        using Load load = new(_cluster.Client, keys);
        await load.ReachedAsync(CallsASecond / 2);
        await leaving.StopAsync();
        if (IsEmbedded)
        {
            await Task.WhenAll(slow);
        }
        await Task.WhenAll(keys.Select(key => _cluster.Client.GetGrain<IRandomGrain>(key).Where()));
        await load.StopAsync();
        if (IsEmbedded)
        {
            Assert.Empty(load.Failures);
        }
    }

    private static string[] Keys(string name) => [.. Enumerable.Range(0, Grains).Select(i => $"{name}-{i}")];

    private Task<string[]> PlacesAsync(string[] keys) => Task.WhenAll(keys.Select(key => Grain(key).Where()));

    private IGrainFactory Own => _own!.Services.GetRequiredService<IGrainFactory>();

    private IRandomGrain Grain(string key) => Own.GetGrain<IRandomGrain>(key);

    // Calls fail until the death is noticed.
    private async Task UntilElsewhereAsync(string key, string dead)
    {
        using CancellationTokenSource late = new(TimeSpan.FromSeconds(30));
        while (true)
        {
            try
            {
                Assert.NotEqual(dead, await Grain(key).Where());
                return;
            }
            catch (OrleansException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), late.Token);
            }
        }
    }

    /// <summary>Calls at a fixed rate: those that a busy machine has left out are made up for.</summary>
    private sealed class Load : IDisposable
    {
        private readonly ConcurrentBag<(string Key, Exception Error)> _failures = [];
        private readonly CancellationTokenSource _stop = new();
        private readonly Stopwatch _since = Stopwatch.StartNew();
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Task _all;
        private int _wanted = int.MaxValue;
        private int _made;

        public Load(IGrainFactory grains, string[] keys) => _all = Task.Run(() => RunAsync(key => grains.GetGrain<IRandomGrain>(key).Where(), keys));

        public IReadOnlyCollection<(string Key, Exception Error)> Failures => _failures;

        /// <summary>Calls made a second.</summary>
        public double Rate { get; private set; }

        /// <summary>Waits until <paramref name="count"/> calls have been made.</summary>
        public Task ReachedAsync(int count)
        {
            Volatile.Write(ref _wanted, count);
            return _reached.Task.WaitAsync(TimeSpan.FromSeconds(30));
        }

        /// <summary>Stops calling and waits for the answers.</summary>
        public async Task StopAsync()
        {
            await _stop.CancelAsync();
            await _all;
        }

        public void Dispose() => _stop.Dispose();

        private async Task RunAsync(Func<string, Task> call, string[] keys)
        {
            using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(1));
            List<Task> calls = [];
            while (!_stop.IsCancellationRequested)
            {
                await timer.WaitForNextTickAsync(CancellationToken.None);
                for (int due = (int)(_since.Elapsed.TotalSeconds * CallsASecond); _made < due; _made++)
                {
                    calls.Add(CallAsync(call, keys[_made % keys.Length]));
                }
                if (_made >= Volatile.Read(ref _wanted))
                {
                    _reached.TrySetResult();
                }
            }
            Rate = _made / _since.Elapsed.TotalSeconds;
            await Task.WhenAll(calls);
        }

        private async Task CallAsync(Func<string, Task> call, string key)
        {
            try
            {
                await call(key);
            }
            catch (Exception error)
            {
                _failures.Add((key, error));
            }
        }
    }
}
