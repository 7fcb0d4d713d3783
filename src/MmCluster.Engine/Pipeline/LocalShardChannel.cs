using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Engine.Pipeline;

/// <summary>
/// A channel between two threads of one process: a ring of frames. Allocates nothing in steady state. Disposing it closes it for both ends; a thread that is still
/// filling a frame may go on, the memory is freed when nobody refers to it.
/// </summary>
public sealed class LocalShardChannel : IShardWriter, IShardReader
{
    private readonly object _gate = new(); // a Monitor: its waits allocate nothing
    private readonly ShardFrame[] _frames;
    private long _sent;
    private long _released;
    private bool _closed;

    /// <summary>Creates a channel.</summary>
    /// <param name="frames">Messages in flight at most.</param>
    /// <param name="rows">Rows of activations a message may carry; 0 for a channel without.</param>
    /// <param name="width">Elements a row.</param>
    /// <param name="device">Where rows are; the processor when null.</param>
    public LocalShardChannel(int frames, int rows, int width, Device? device = null) =>
        _frames = [.. Enumerable.Range(0, frames).Select(_ => new ShardFrame(rows == 0 ? null : Tensor.Empty([rows, width], DType.F32, device)))];

    /// <inheritdoc/>
    public bool IsOpen
    {
        get
        {
            lock (_gate)
            {
                return !_closed;
            }
        }
    }

    /// <inheritdoc/>
    public ShardFrame Begin()
    {
        lock (_gate)
        {
            while (_sent - _released == _frames.Length && !_closed)
            {
                Monitor.Wait(_gate);
            }
            ThrowIfClosed();
            ShardFrame frame = _frames[_sent % _frames.Length];
            frame.Clear();
            return frame;
        }
    }

    /// <inheritdoc/>
    public void Send()
    {
        lock (_gate)
        {
            ThrowIfClosed();
            _sent++;
            Monitor.PulseAll(_gate);
        }
    }

    /// <inheritdoc/>
    public void Drop()
    {
        // Frames are the collector's.
    }

    /// <inheritdoc/>
    public ShardFrame Receive()
    {
        lock (_gate)
        {
            while (_sent == _released && !_closed)
            {
                Monitor.Wait(_gate);
            }
            ThrowIfClosed();
            return _frames[_released % _frames.Length];
        }
    }

    /// <inheritdoc/>
    public void Release()
    {
        lock (_gate)
        {
            _released++;
            Monitor.PulseAll(_gate);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _closed = true;
            Monitor.PulseAll(_gate);
        }
    }

    private void ThrowIfClosed()
    {
        if (_closed)
        {
            throw new MmException(MmErrorCode.Unavailable, "pipeline: the channel to the next shard is closed");
        }
    }
}
