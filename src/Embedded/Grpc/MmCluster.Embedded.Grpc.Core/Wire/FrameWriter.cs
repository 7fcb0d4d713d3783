using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;

namespace Grpc.Core.Internal;

/// <summary>
/// Serializes messages one behind the other into a rented array, each behind its five bytes (flag, length big endian).
/// Not thread-safe.
/// </summary>
internal sealed class FrameWriter(int? limit) : SerializationContext, IBufferWriter<byte>
{
    private const int HeaderSize = 5;
    private const int FirstSize = 512;
    private const int NoFrame = -1;

    private byte[] _array = [];
    private int _end;
    private int _payload = NoFrame; // where the message being written starts
    private bool _complete;

    /// <summary>The bytes written and not yet taken.</summary>
    public int Length => _end;

    /// <summary>When set, messages are compressed unless the write says otherwise.</summary>
    public CompressionLevel? Gzip { get; set; }

    /// <summary>Appends a message; on an exception what was there before stays.</summary>
    public void Append<T>(T message, Action<T, SerializationContext> serializer, bool compress)
    {
        int start = _end;
        try
        {
            Reserve(HeaderSize);
            _end += HeaderSize;
            _payload = _end;
            _complete = false;
            serializer(message, this);
            if (!_complete)
            {
                throw new InvalidOperationException("Serialization did not return a payload.");
            }
            Check(_end - _payload);
            bool compressed = compress && Gzip is not null;
            if (compressed)
            {
                Compress();
            }
            _array[start] = compressed ? (byte)1 : (byte)0;
            BinaryPrimitives.WriteUInt32BigEndian(_array.AsSpan(start + 1), (uint)(_end - _payload));
        }
        catch
        {
            _end = start;
            throw;
        }
        finally
        {
            _payload = NoFrame;
        }
    }

    /// <summary>Takes the rented array with what was written; the caller gives it to <see cref="Return"/>.</summary>
    public (byte[] Array, int Length) Take()
    {
        (byte[], int) taken = (_array, _end);
        _array = [];
        _end = 0;
        return taken;
    }

    public static void Return(byte[] array)
    {
        if (array.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(array);
        }
    }

    public override void SetPayloadLength(int payloadLength)
    {
        Check(payloadLength);
        Reserve(payloadLength);
    }

    public override IBufferWriter<byte> GetBufferWriter() => this;

    public override void Complete() => _complete = true;

    public override void Complete(byte[] payload)
    {
        Check(payload.Length);
        Reserve(payload.Length);
        payload.CopyTo(_array, _end);
        _end += payload.Length;
        _complete = true;
    }

    void IBufferWriter<byte>.Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)(_array.Length - _end));
        _end += count;
    }

    Memory<byte> IBufferWriter<byte>.GetMemory(int sizeHint)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _array.AsMemory(_end);
    }

    Span<byte> IBufferWriter<byte>.GetSpan(int sizeHint)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _array.AsSpan(_end);
    }

    private void Check(int length)
    {
        if (length > limit)
        {
            throw new RpcException(FrameErrors.TooLargeToSend);
        }
    }

    private void Reserve(int more)
    {
        if (_array.Length - _end >= more)
        {
            return;
        }
        long needed = Math.Max((long)_end + more, Math.Max(FirstSize, Math.Min(2L * _array.Length, Array.MaxLength)));
        byte[] larger = ArrayPool<byte>.Shared.Rent(checked((int)needed));
        _array.AsSpan(0, _end).CopyTo(larger);
        Return(_array);
        _array = larger;
    }

    private void Compress()
    {
        (byte[] array, int length) = GzipFrames.Compress(_array, _payload, _end - _payload, Gzip!.Value);
        _end = _payload;
        Reserve(length);
        array.AsSpan(0, length).CopyTo(_array.AsSpan(_end));
        _end += length;
        Return(array);
    }
}
