using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Orleans.Serialization;

namespace Orleans.Runtime.Net;

/// <summary>
/// One socket: frames come in through a pipe over it, and go out through a pipe whose reader sends whatever has gathered,
/// so that many small frames share a system call. An idle connection holds no buffer.
/// </summary>
internal sealed class Connection : IDisposable
{
    private const int MaxUnsent = 256 << 20;
    private const int SegmentSize = 16 << 10;

    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly PipeReader _input;
    private readonly Pipe _output;
    private readonly Lock _writeLock = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _maxFrame;
    private long _unsent;
    private bool _completed;
    private bool _leaving;
    private int _disposed;

    public Connection(Socket socket, int maxFrame)
    {
        socket.NoDelay = true;
        _socket = socket;
        _maxFrame = maxFrame;
        _stream = new NetworkStream(socket, ownsSocket: false);
        _input = PipeReader.Create(_stream, new StreamPipeReaderOptions(bufferSize: SegmentSize, minimumReadSize: 2048, leaveOpen: true, useZeroByteReads: true));
        _output = new Pipe(new PipeOptions(pauseWriterThreshold: 0, resumeWriterThreshold: 0, minimumSegmentSize: SegmentSize, useSynchronizationContext: false));
    }

    /// <summary>The silo at the other end; null for a client or before the handshake.</summary>
    public SiloAddress? PeerSilo { get; set; }

    /// <summary>The client at the other end.</summary>
    public Guid PeerClient { get; set; }

    /// <summary>Whether the gateway at the other end has said that it leaves.</summary>
    public bool IsLeaving
    {
        get => Volatile.Read(ref _leaving);
        set => Volatile.Write(ref _leaving, value);
    }

    /// <summary>Whether nothing can be sent any more.</summary>
    public bool HasEnded
    {
        get
        {
            lock (_writeLock)
            {
                return _completed;
            }
        }
    }

    /// <summary>The grain ids met on this connection.</summary>
    public GrainIdCache GrainIds { get; } = new();

    /// <summary>Completes when the connection has ended.</summary>
    public Task Closed => _closed.Task;

    public string Peer => PeerSilo?.ToString() ?? (PeerClient != Guid.Empty ? $"client {PeerClient:N}" : RemoteEndPoint);

    public override string ToString() => Peer;

    private string RemoteEndPoint
    {
        get
        {
            try
            {
                return _socket.RemoteEndPoint?.ToString() ?? "?";
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                return "?";
            }
        }
    }

    /// <summary>Sends a frame that <paramref name="writer"/> holds, its length left open at the start; false where the connection has ended.</summary>
    /// <exception cref="OrleansMessageRejectionException">The frame is too long, or the other end does not read.</exception>
    public bool TrySend(MessageWriter writer)
    {
        int length = writer.Length;
        if (length - Frame.LengthSize > _maxFrame)
        {
            throw new OrleansMessageRejectionException($"A message of {length} bytes exceeds the limit of {_maxFrame}.");
        }
        if (Interlocked.Read(ref _unsent) + length > MaxUnsent)
        {
            throw new OrleansMessageRejectionException($"{MaxUnsent} bytes wait to be sent to {Peer}; no more are taken.");
        }
        writer.Patch(0, (uint)(length - Frame.LengthSize));
        lock (_writeLock)
        {
            if (_completed)
            {
                return false;
            }
            Interlocked.Add(ref _unsent, length);
            _output.Writer.Write(writer.Written);
#pragma warning disable CA2012 // there is no pause threshold, so it has completed
            _output.Writer.FlushAsync().GetAwaiter().GetResult();
#pragma warning restore CA2012
        }
        return true;
    }

    /// <summary>Reads the one frame of a handshake.</summary>
    public async Task<byte[]> ReadHelloAsync(FrameType expected, CancellationToken stop)
    {
        while (true)
        {
            ReadResult read = await _input.ReadAsync(stop);
            ReadOnlySequence<byte> buffer = read.Buffer;
            if (TryReadFrame(ref buffer, Frame.MaxHelloSize, out ReadOnlySequence<byte> frame))
            {
                byte[] bytes = frame.ToArray();
                _input.AdvanceTo(buffer.Start);
                return bytes[0] == (byte)expected ? bytes[1..]
                    : throw new InvalidDataException($"a {expected} is expected, not a frame of type {bytes[0]}");
            }
            _input.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
            {
                throw new EndOfStreamException("the connection ended before the handshake did");
            }
        }
    }

    /// <summary>Sends and receives until the connection ends.</summary>
    public async Task RunAsync(IFrameHandler handler)
    {
        Task sending = SendLoopAsync();
        Exception? error = null;
        try
        {
            await ReceiveLoopAsync(handler);
        }
        catch (Exception caught)
        {
            error = caught;
        }
        Dispose();
        await sending;
        await _input.CompleteAsync();
        handler.OnClosed(this, error);
        _closed.TrySetResult();
    }

    /// <summary>The bytes of a frame whose length was left open at the start.</summary>
    public static byte[] Finish(MessageWriter writer)
    {
        writer.Patch(0, (uint)(writer.Length - Frame.LengthSize));
        return writer.Written.ToArray();
    }

    /// <summary>Sends bytes outside of the pipe: for the handshake, before <see cref="RunAsync"/>.</summary>
    public async Task SendNowAsync(byte[] bytes, CancellationToken stop) => await _socket.SendAsync(bytes, stop);

    /// <summary>Sends what is written, then closes.</summary>
    public async Task CloseGracefullyAsync(TimeSpan limit, TimeProvider time)
    {
        lock (_writeLock)
        {
            if (!_completed)
            {
                _completed = true;
                _output.Writer.Complete();
            }
        }
        try
        {
            await Closed.WaitAsync(limit, time);
        }
        catch (TimeoutException)
        {
            Dispose();
        }
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }
        lock (_writeLock)
        {
            _completed = true;
            _output.Writer.Complete();
        }
        _output.Reader.CancelPendingRead();
        _stream.Dispose();
        _socket.Dispose();
    }

    private async Task ReceiveLoopAsync(IFrameHandler handler)
    {
        while (true)
        {
            ReadResult read = await _input.ReadAsync();
            ReadOnlySequence<byte> buffer = read.Buffer;
            while (TryReadFrame(ref buffer, _maxFrame, out ReadOnlySequence<byte> frame))
            {
                Handle(handler, frame);
            }
            _input.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
            {
                if (!buffer.IsEmpty)
                {
                    throw new EndOfStreamException("the connection ended inside a frame");
                }
                return;
            }
        }
    }

    private void Handle(IFrameHandler handler, ReadOnlySequence<byte> frame)
    {
        if (frame.IsSingleSegment && MemoryMarshal.TryGetArray(frame.First, out ArraySegment<byte> bytes))
        {
            handler.OnFrame(this, (FrameType)bytes[0], bytes.Array!, bytes.Offset + 1, bytes.Count - 1);
            return;
        }
        int length = (int)frame.Length;
        byte[] copy = ArrayPool<byte>.Shared.Rent(length);
        frame.CopyTo(copy);
        try
        {
            handler.OnFrame(this, (FrameType)copy[0], copy, 1, length - 1);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(copy);
        }
    }

    private static bool TryReadFrame(ref ReadOnlySequence<byte> buffer, int maxFrame, out ReadOnlySequence<byte> frame)
    {
        frame = default;
        if (buffer.Length < Frame.LengthSize)
        {
            return false;
        }
        Span<byte> prefix = stackalloc byte[Frame.LengthSize];
        buffer.Slice(0, Frame.LengthSize).CopyTo(prefix);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(prefix);
        if (length == 0 || length > (uint)maxFrame)
        {
            throw new InvalidDataException($"a frame of {length} bytes is announced; 1 to {maxFrame} are allowed");
        }
        if (buffer.Length - Frame.LengthSize < length)
        {
            return false;
        }
        frame = buffer.Slice(Frame.LengthSize, length);
        buffer = buffer.Slice(Frame.LengthSize + (long)length);
        return true;
    }

    private async Task SendLoopAsync()
    {
        try
        {
            while (true)
            {
                ReadResult read = await _output.Reader.ReadAsync();
                foreach (ReadOnlyMemory<byte> segment in read.Buffer)
                {
                    ReadOnlyMemory<byte> rest = segment;
                    while (!rest.IsEmpty)
                    {
                        int sent = await _socket.SendAsync(rest, SocketFlags.None);
                        rest = rest[sent..];
                    }
                }
                Interlocked.Add(ref _unsent, -read.Buffer.Length);
                _output.Reader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted || read.IsCanceled)
                {
                    break;
                }
            }
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException or IOException)
        {
            Dispose(); // the receiving loop reports the end
        }
        await _output.Reader.CompleteAsync();
    }
}
