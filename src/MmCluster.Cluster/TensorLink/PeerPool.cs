using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Cluster.TensorLink.Wire;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.TensorLink;

/// <summary>
/// Connections to one incarnation of one silo. Through shared memory a single one, used in turns, because its messages are tiny and its pins end
/// with it; over TCP as many as there are pulls at once, kept for the next. Safe to call from any thread.
/// </summary>
internal sealed class PeerPool(LinkAddress peer, bool share, byte[] secret, TensorLinkOptions options) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Stack<PeerConnection> _idle = new();
    private PeerConnection? _shared;
    private bool _disposed;

    /// <summary>Gets a tensor.</summary>
    /// <exception cref="MmException">Unavailable: the lease has ended, or the peer is gone.</exception>
    public Task<PulledTensor> PullAsync(TensorRef wanted, CancellationToken cancellationToken) =>
        share ? PullSharedAsync(wanted, cancellationToken) : PullBytesAsync(wanted, cancellationToken);

    public void Dispose()
    {
        lock (_idle)
        {
            _disposed = true;
            _shared?.Dispose();
            while (_idle.TryPop(out PeerConnection? connection))
            {
                connection.Dispose();
            }
        }
    }

    private async Task<PulledTensor> PullSharedAsync(TensorRef wanted, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            PeerConnection connection = _shared ??= await PeerConnection.ShareAsync(peer, secret, cancellationToken);
            LinkMessage answer = await connection.PullAsync(wanted, cancellationToken) ?? throw Gone(wanted);
            SharedMemory slab = connection.Slab!;
            slab.AddUser();
            var tensor = Tensor.FromMemory(slab.Address + (nint)answer.Offset, wanted.Bytes, wanted.Shape, wanted.DType, slab);
            return new PulledTensor(tensor, () =>
            {
                slab.Dispose();
                _ = ReleaseAsync(connection, wanted.Id);
            });
        }
        catch (Exception error) when (error is not MmException)
        {
            // A half-read answer would be taken for the next one's.
            _shared?.Dispose();
            _shared = null;
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    // If the connection is gone, so are its pins: there is nothing to say.
    private async Task ReleaseAsync(PeerConnection connection, long id)
    {
        await _turn.WaitAsync(CancellationToken.None);
        try
        {
            if (ReferenceEquals(connection, _shared))
            {
                await connection.ReleaseAsync(id, CancellationToken.None);
            }
        }
        catch (Exception error) when (error is IOException or System.Net.Sockets.SocketException or ObjectDisposedException)
        {
            _shared?.Dispose();
            _shared = null;
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<PulledTensor> PullBytesAsync(TensorRef wanted, CancellationToken cancellationToken)
    {
        PeerConnection connection = TakeIdle() ?? await PeerConnection.StreamAsync(peer, secret, options.CreditBytes, cancellationToken);
        Tensor? tensor = null;
        try
        {
            if (await connection.PullAsync(wanted, cancellationToken) is null)
            {
                PutIdle(connection);
                throw Gone(wanted);
            }
            tensor = Tensor.Empty(wanted.Shape, wanted.DType);
            using var memory = new NativeMemoryManager(tensor.DenseAddress, wanted.Bytes);
            for (long at = 0; at < wanted.Bytes; at += options.CreditBytes)
            {
                await connection.ReceiveAsync(memory.Slice(at, (int)Math.Min(options.CreditBytes, wanted.Bytes - at)), cancellationToken);
            }
            PutIdle(connection);
            return new PulledTensor(tensor, static () => { });
        }
        catch (Exception error) when (error is not MmException)
        {
            tensor?.Dispose();
            connection.Dispose();
            throw;
        }
    }

    private PeerConnection? TakeIdle()
    {
        lock (_idle)
        {
            return _idle.TryPop(out PeerConnection? connection) ? connection : null;
        }
    }

    private void PutIdle(PeerConnection connection)
    {
        lock (_idle)
        {
            if (!_disposed)
            {
                _idle.Push(connection);
                return;
            }
        }
        connection.Dispose();
    }

    private static MmException Gone(TensorRef wanted) => new(
        MmErrorCode.Unavailable, $"tensor link: tensor {wanted.Id} ({wanted.DType} {wanted.Shape}) is no longer held by its stage; it must be made again");
}
