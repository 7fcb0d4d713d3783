namespace Grpc.Core.Internal;

/// <summary>
/// Carries a stream's messages to its transport. A write only serializes into a buffer; while the transport takes one
/// buffer the next fills, so a fast producer's small messages leave in few large pieces and a lone message leaves at
/// once. A producer waits when a buffer holds more than <see cref="HighWater"/>.
/// One producer at a time; the transport's completions may come from any thread.
/// </summary>
internal sealed class FramePump(FrameWriter frames, Func<ReadOnlyMemory<byte>, ValueTask> transport, bool open)
{
    private const int HighWater = 64 * 1024;

    private readonly Lock _lock = new();
    private bool _open = open;
    private bool _sending;
    private Exception? _error;
    private TaskCompletionSource? _room;
    private TaskCompletionSource? _idle;

    /// <summary>Serializes a message; the task ends when the next may be written.</summary>
    public Task WriteAsync<T>(T message, Action<T, SerializationContext> serializer, WriteFlags flags)
    {
        lock (_lock)
        {
            if (_error is not null)
            {
                return Task.FromException(_error);
            }
            frames.Append(message, serializer, (flags & WriteFlags.NoCompress) == 0);
            if (_sending || !_open)
            {
                return frames.Length <= HighWater ? Task.CompletedTask : (_room ??= NewSource()).Task;
            }
            if ((flags & WriteFlags.BufferHint) != 0 && frames.Length <= HighWater)
            {
                return Task.CompletedTask;
            }
            _sending = true;
        }
        _ = SendAsync();
        return Task.CompletedTask;
    }

    /// <summary>Lets a pump that was made closed send.</summary>
    public void Open()
    {
        lock (_lock)
        {
            _open = true;
            if (_sending || frames.Length == 0 || _error is not null)
            {
                return;
            }
            _sending = true;
        }
        _ = SendAsync();
    }

    /// <summary>Ends when all that was written has been taken by the transport, or throws what it threw.</summary>
    public Task FlushAsync()
    {
        Task idle;
        lock (_lock)
        {
            if (_error is not null)
            {
                return Task.FromException(_error);
            }
            if (!_sending && frames.Length == 0)
            {
                return Task.CompletedTask;
            }
            idle = (_idle ??= NewSource()).Task;
            if (_sending || !_open)
            {
                return idle;
            }
            _sending = true;
        }
        _ = SendAsync();
        return idle;
    }

    /// <summary>Whether the transport is taking a buffer now.</summary>
    public bool Sending
    {
        get
        {
            lock (_lock)
            {
                return _sending;
            }
        }
    }

    /// <summary>Fails this and every later write; what is buffered is dropped.</summary>
    public void Fail(Exception error)
    {
        TaskCompletionSource? room;
        TaskCompletionSource? idle;
        lock (_lock)
        {
            _error ??= error;
            (room, idle) = (_room, _idle);
            (_room, _idle) = (null, null);
            FrameWriter.Return(frames.Take().Array);
        }
        Fail(room, error);
        Fail(idle, error);
    }

    private async Task SendAsync()
    {
        while (true)
        {
            byte[] array;
            int length;
            TaskCompletionSource? room;
            TaskCompletionSource? idle = null;
            lock (_lock)
            {
                (array, length) = frames.Take();
                room = _room;
                _room = null;
                if (length == 0)
                {
                    _sending = false;
                    idle = _idle;
                    _idle = null;
                }
            }
            room?.TrySetResult();
            if (length == 0)
            {
                FrameWriter.Return(array);
                idle?.TrySetResult();
                return;
            }
            try
            {
                await transport(array.AsMemory(0, length));
            }
            catch (Exception error)
            {
                lock (_lock)
                {
                    _sending = false;
                }
                Fail(error);
                return;
            }
            FrameWriter.Return(array);
        }
    }

    private static void Fail(TaskCompletionSource? waiter, Exception error)
    {
        if (waiter is not null && waiter.TrySetException(error))
        {
            _ = waiter.Task.Exception; // seen: the writer may have gone
        }
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
