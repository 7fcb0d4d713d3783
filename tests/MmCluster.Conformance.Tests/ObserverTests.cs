using System.Runtime.CompilerServices;
using System.Threading.Channels;
using MmCluster.Conformance.Grains;

namespace MmCluster.Conformance;

/// <summary>Objects of a client that grains call back.</summary>
[Collection(nameof(ProcessCluster))]
public sealed class ObserverTests(ProcessCluster cluster)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Calls_come_back_in_order_until_the_reference_is_deleted()
    {
        Listener listener = new();
        IListener reference = cluster.Client.CreateObjectReference<IListener>(listener);
        ISpeakerGrain grain = cluster.Client.GetGrain<ISpeakerGrain>("ordered");
        await grain.Subscribe(reference);
        for (int i = 0; i < 20; i++)
        {
            await grain.Say($"{i}");
        }
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal($"{i}", await listener.Heard.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(Patience, TestContext.Current.CancellationToken));
        }
        Assert.Equal(10, await grain.Ask(5));
        cluster.Client.DeleteObjectReference<IListener>(reference);
        await Assert.ThrowsAsync<TimeoutException>(() => grain.Ask(5));
        GC.KeepAlive(listener);
    }

    [Fact]
    public async Task An_object_that_nobody_keeps_is_collected()
    {
        ISpeakerGrain grain = cluster.Client.GetGrain<ISpeakerGrain>("collected");
        await SubscribeAndForgetAsync(grain);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        await Assert.ThrowsAsync<TimeoutException>(() => grain.Ask(5));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Task SubscribeAndForgetAsync(ISpeakerGrain grain) => grain.Subscribe(cluster.Client.CreateObjectReference<IListener>(new Listener()));

    private sealed class Listener : IListener
    {
        public Channel<string> Heard { get; } = Channel.CreateUnbounded<string>();

        void IListener.Heard(string text) => Heard.Writer.TryWrite(text);

        public Task<int> Ask(int value) => Task.FromResult(value * 2);
    }
}
