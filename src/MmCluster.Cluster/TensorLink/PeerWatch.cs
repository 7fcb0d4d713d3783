using System.Collections.Concurrent;
using System.Net.Sockets;

namespace MmCluster.Cluster.TensorLink;

/// <summary>
/// Notices at once when a peer's process is gone: the kernel closes an idle connection that it held, and nobody of its incarnation takes another. Safe to call
/// from any thread.
/// </summary>
internal sealed class PeerWatch(byte[] secret, TensorLinkOptions options, TimeProvider time) : IDisposable
{
    private const int IdleBytes = 4096;

    // Between a connection's end and the look for another.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<Guid, Lazy<Task>> _watched = new();
    private readonly CancellationTokenSource _stop = new();

    /// <summary>Completes when the process is gone. A peer that merely cannot be reached is given up after a lease time: the task is cancelled then.</summary>
    public Task GoneAsync(LinkAddress peer) => _watched.GetOrAdd(peer.Incarnation, _ => new Lazy<Task>(() => WatchAsync(peer))).Value;

    public void Dispose() => _stop.Cancel();

    private async Task WatchAsync(LinkAddress peer)
    {
        await Task.Yield();
        try
        {
            long seen = time.GetTimestamp();
            while (time.GetElapsedTime(seen) < options.LeaseTime)
            {
                try
                {
                    using var late = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
                    late.CancelAfter(options.PeerTimeout);
                    using PeerConnection connection = await PeerConnection.StreamAsync(peer, secret, IdleBytes, late.Token);
                    late.CancelAfter(Timeout.InfiniteTimeSpan);
                    await connection.EndedAsync(late.Token);
                    seen = time.GetTimestamp();
                }
                catch (Exception error) when (error is InvalidDataException or SocketException { SocketErrorCode: SocketError.ConnectionRefused })
                {
                    return;
                }
                catch (Exception error) when (error is IOException or SocketException or OperationCanceledException)
                {
                    // Not there to talk to, which does not say that it is gone.
                }
                await Task.Delay(Pause, time, _stop.Token);
            }
            throw new OperationCanceledException($"{peer.Host}:{peer.Port} cannot be reached");
        }
        finally
        {
            _watched.TryRemove(peer.Incarnation, out _);
        }
    }
}
