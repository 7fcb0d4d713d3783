using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;

namespace Grpc.Core.Internal;

/// <summary>
/// Takes messages out of a pipe. Lengths are checked before anything is kept. The pipe's buffer is held while it has
/// whole messages, so that a burst costs one read. Not thread-safe; a deserializer sees the pipe's own memory.
/// </summary>
internal sealed class FrameReader(PipeReader pipe, int? limit, string? encoding) : DeserializationContext
{
    private const int HeaderSize = 5;

    private ReadOnlySequence<byte> _buffer;
    private ReadOnlySequence<byte> _payload;
    private bool _holding;
    private bool _ended;

    public override int PayloadLength => (int)_payload.Length;

    public override byte[] PayloadAsNewBuffer() => _payload.ToArray();

    public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => _payload;

    /// <summary>Takes a message that is there already.</summary>
    public bool TryRead<T>(Func<DeserializationContext, T> deserializer, out T message)
        where T : class
    {
        message = null!;
        if (!_holding || _buffer.Length < HeaderSize)
        {
            return false;
        }
        (bool compressed, int length) = ReadHeader();
        if (_buffer.Length - HeaderSize < length)
        {
            return false;
        }
        _payload = _buffer.Slice(HeaderSize, length);
        message = compressed ? Inflate(deserializer) : deserializer(this);
        _buffer = _buffer.Slice(HeaderSize + (long)length);
        _payload = default;
        return true;
    }

    /// <summary>Waits for more bytes; false at the stream's end. Ask <see cref="TryRead"/> after true.</summary>
    public async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_holding)
        {
            if (_ended)
            {
                return !AtEnd();
            }
            _holding = false;
            pipe.AdvanceTo(_buffer.Start, _buffer.End);
        }
        ReadResult result = await pipe.ReadAsync(cancellationToken);
        if (result.IsCanceled)
        {
            pipe.AdvanceTo(result.Buffer.Start);
            throw new OperationCanceledException(cancellationToken);
        }
        _buffer = result.Buffer;
        _holding = true;
        _ended = result.IsCompleted;
        return !_ended || !AtEnd();
    }

    /// <summary>The only message of a stream that must hold one: waits for the end behind it, too. Null when there is none.</summary>
    public async ValueTask<T?> ReadSingleAsync<T>(Func<DeserializationContext, T> deserializer, CancellationToken cancellationToken)
        where T : class
    {
        T? message = null;
        while (await FillAsync(cancellationToken))
        {
            if (message is null)
            {
                if (TryRead(deserializer, out T found))
                {
                    message = found;
                }
            }
            if (message is not null && _buffer.Length > 0)
            {
                throw new RpcException(FrameErrors.Additional);
            }
        }
        return message;
    }

    /// <summary>Whether nothing is left; throws when a part of a message is.</summary>
    private bool AtEnd()
    {
        if (_buffer.IsEmpty)
        {
            return true;
        }
        if (_buffer.Length < HeaderSize || _buffer.Length - HeaderSize < ReadHeader().Length)
        {
            throw new RpcException(FrameErrors.Incomplete);
        }
        return false;
    }

    private (bool Compressed, int Length) ReadHeader()
    {
        Span<byte> header = stackalloc byte[HeaderSize];
        _buffer.Slice(0, HeaderSize).CopyTo(header);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (header[0] > 1)
        {
            throw new RpcException(FrameErrors.BadFlag);
        }
        if (length > (uint)(limit ?? Array.MaxLength))
        {
            throw new RpcException(FrameErrors.TooLargeToReceive);
        }
        return (header[0] == 1, (int)length);
    }

    private T Inflate<T>(Func<DeserializationContext, T> deserializer)
        where T : class
    {
        switch (encoding)
        {
            case null:
                throw new RpcException(FrameErrors.CompressedWithoutEncoding);
            case GrpcHeaders.Identity:
                throw new RpcException(FrameErrors.CompressedIdentity);
            case GrpcHeaders.Gzip:
                break;
            default:
                throw new RpcException(FrameErrors.UnsupportedEncoding(encoding));
        }
        (byte[] array, int length) = GzipFrames.Decompress(_payload, limit ?? Array.MaxLength);
        try
        {
            _payload = new ReadOnlySequence<byte>(array, 0, length);
            return deserializer(this);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(array);
        }
    }
}
