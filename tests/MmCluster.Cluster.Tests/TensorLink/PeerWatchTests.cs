using MmCluster.Cluster.TensorLink;

namespace MmCluster.Cluster.Tests.TensorLink;

public sealed class PeerWatchTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_peer_that_ends_is_gone_at_once()
    {
        await using TensorLinkEndpoint watcher = Endpoint();
        TensorLinkEndpoint peer = Endpoint();
        Task gone = watcher.GoneAsync(peer.Address);
        Assert.Same(gone, watcher.GoneAsync(peer.Address));
        await peer.DisposeAsync();
        await gone.WaitAsync(Patience, Stop);
    }

    [Fact]
    public async Task Another_life_on_the_same_port_is_not_the_peer()
    {
        await using TensorLinkEndpoint watcher = Endpoint();
        await using TensorLinkEndpoint next = Endpoint();
        LinkAddress before = next.Address with { Incarnation = Guid.NewGuid() };
        await watcher.GoneAsync(before).WaitAsync(Patience, Stop);
        Assert.False(watcher.GoneAsync(next.Address).IsCompleted);
    }

    [Fact]
    public async Task A_peer_that_lives_or_cannot_be_asked_and_the_watcher_itself_are_not_gone()
    {
        TensorLinkEndpoint watcher = Endpoint();
        await using TensorLinkEndpoint peer = Endpoint();
        Task gone = watcher.GoneAsync(peer.Address);
        Task self = watcher.GoneAsync(watcher.Address);
        // Its address means another process here, or none.
        Task elsewhere = watcher.GoneAsync(new LinkAddress("another machine", "", "127.0.0.1", 1, Guid.NewGuid()));
        await watcher.DisposeAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone.WaitAsync(Patience, Stop));
        Assert.False(self.IsCompleted || elsewhere.IsCompleted);
    }

    private static TensorLinkEndpoint Endpoint() => new(new TensorLinkOptions { ClusterSecret = "secret", SlabBytes = 1 << 20 }, TimeProvider.System);
}
