using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Cluster.TensorLink.Wire;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.TensorLink;

/// <summary>
/// Connections to one incarnation of one silo. Through shared memory a single one, used in turns, because its messages are tiny and its pins end
/// with it; over TCP as many as there are pulls at once, kept for the next. Safe to call from any thread.
/// </summary>
internal sealed class PeerPool(LinkAddress peer, bool share, byte[] secret, TensorLinkOptions options, TimeProvider time) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Stack<PeerConnection> _idle = new();
    private PeerConnection? _shared;
    private volatile bool _disposed;

    /// <summary>Gets a tensor.</summary>
    /// <exception cref="MmException">Unavailable: the lease has ended, or the peer is gone.</exception>
    public Task<PulledTensor> PullAsync(TensorRef wanted, CancellationToken cancellationToken) =>
        share ? PullSharedAsync(wanted, cancellationToken) : PullBytesAsync(wanted, cancellationToken);

    public void Dispose()
    {
        lock (_idle)
        {
            _disposed = true;
            _shared?.Abort();
            while (_idle.TryPop(out PeerConnection? connection))
            {
                connection.Dispose();
            }
        }
        _ = CloseSharedAsync();
    }

    private async Task CloseSharedAsync()
    {
        await _turn.WaitAsync(CancellationToken.None);
        DropShared();
        _turn.Release();
    }

    // A caller that gives up leaves its exchange to end by itself: one cut short would cost the others their connection.
    private async Task<PulledTensor> PullSharedAsync(TensorRef wanted, CancellationToken cancellationToken)
    {
        Task<PulledTensor> exchange = ExchangeAsync(wanted, cancellationToken);
        try
        {
            return await exchange.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            _ = LetGoAsync(exchange);
            throw;
        }
    }

    private static async Task LetGoAsync(Task<PulledTensor> unwanted)
    {
        try
        {
            (await unwanted).Dispose();
        }
        catch (Exception)
        {
            // Nobody is left to be told.
        }
    }

    private async Task<PulledTensor> ExchangeAsync(TensorRef wanted, CancellationToken waiting)
    {
        await _turn.WaitAsync(waiting);
        try
        {
            if (_disposed)
            {
                throw new IOException("its process is gone");
            }
            using var late = new PeerPatience(peer, options.PeerTimeout, time);
            return await late.GuardAsync(async stop =>
            {
                PeerConnection connection = _shared ??= await PeerConnection.ShareAsync(peer, secret, stop);
                LinkMessage answer = await connection.PullAsync(wanted, stop) ?? throw Gone(wanted);
                SharedMemory slab = connection.Slab!;
                connection.Hold();
                var tensor = Tensor.FromMemory(slab.Address + (nint)answer.Offset, wanted.Bytes, wanted.Shape, wanted.DType, slab);
                return new PulledTensor(tensor, () => _ = ReleaseAsync(connection, wanted.Id));
            });
        }
        catch (Exception error) when (error is not MmException)
        {
            // A half-read answer would be taken for the next one's. What was pulled before keeps its pins until it is let go of.
            DropShared();
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    private void DropShared()
    {
        _shared?.Dispose();
        _shared = null;
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
            DropShared();
        }
        finally
        {
            _turn.Release();
            connection.LetGo();
        }
    }

    private async Task<PulledTensor> PullBytesAsync(TensorRef wanted, CancellationToken cancellationToken)
    {
        using var late = new PeerPatience(peer, options.PeerTimeout, time, cancellationToken);
        PeerConnection connection = TakeIdle() ?? await late.GuardAsync(stop => PeerConnection.StreamAsync(peer, secret, options.CreditBytes, stop));
        Tensor? tensor = null;
        try
        {
            if (await late.GuardAsync(stop => connection.PullAsync(wanted, stop)) is null)
            {
                PutIdle(connection);
                throw Gone(wanted);
            }
            tensor = Tensor.Empty(wanted.Shape, wanted.DType);
            using var memory = new NativeMemoryManager(tensor.DenseAddress, wanted.Bytes);
            for (long at = 0; at < wanted.Bytes; at += options.CreditBytes)
            {
                Memory<byte> next = memory.Slice(at, (int)Math.Min(options.CreditBytes, wanted.Bytes - at));
                await late.GuardAsync(async stop =>
                {
                    await connection.ReceiveAsync(next, stop);
                    return true;
                });
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
