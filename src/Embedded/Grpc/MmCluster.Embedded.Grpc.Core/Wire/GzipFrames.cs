using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;

namespace Grpc.Core.Internal;

/// <summary>gzip of one message's bytes.</summary>
internal static class GzipFrames
{
    private const int FirstGuess = 4096;
    private const int SmallestMember = 18;

    /// <summary>Compresses into a rented array that the caller returns.</summary>
    public static (byte[] Array, int Length) Compress(byte[] payload, int start, int length, CompressionLevel level)
    {
        using var output = new RentedStream(FirstGuess, int.MaxValue);
        using (var gzip = new GZipStream(output, level, leaveOpen: true))
        {
            gzip.Write(payload, start, length);
        }
        if (output.Written == 0)
        {
            // GZipStream writes nothing at all for no input, which is no gzip member.
            output.Write([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
        return output.Detach();
    }

    /// <summary>
    /// Decompresses into a rented array that the caller returns. Stops at the first byte beyond <paramref name="limit"/>,
    /// so that a small message cannot become a large one.
    /// </summary>
    public static (byte[] Array, int Length) Decompress(in ReadOnlySequence<byte> payload, int limit)
    {
        byte[] compressed = ArrayPool<byte>.Shared.Rent(checked((int)payload.Length));
        try
        {
            payload.CopyTo(compressed);
            using var input = new MemoryStream(compressed, 0, (int)payload.Length, writable: false);
            using var gzip = new GZipStream(input, CompressionMode.Decompress);
            using var output = new RentedStream(FirstGuess, limit);
            gzip.CopyTo(output, FirstGuess);
            // A stream cut short ends quietly; its last four bytes would say the length (RFC 1952, section 2.3.1).
            if (payload.Length < SmallestMember
                || BinaryPrimitives.ReadInt32LittleEndian(compressed.AsSpan((int)payload.Length - sizeof(int))) != output.Written)
            {
                throw new InvalidDataException("The gzip stream ends too early.");
            }
            return output.Detach();
        }
        catch (InvalidDataException error)
        {
            throw new RpcException(new Core.Status(StatusCode.Internal, "Failed to decompress a gzip message.", error));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(compressed);
        }
    }

    /// <summary>Collects bytes in a rented array up to a limit.</summary>
    private sealed class RentedStream(int firstGuess, int limit) : Stream
    {
        private byte[]? _array = ArrayPool<byte>.Shared.Rent(firstGuess);

        public int Written { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => Written;

        public override long Position { get => Written; set => throw new NotSupportedException(); }

        public (byte[] Array, int Length) Detach()
        {
            byte[] array = _array!;
            _array = null;
            return (array, Written);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (buffer.Length > limit - Written)
            {
                throw new RpcException(FrameErrors.TooLargeToReceive);
            }
            if (Written + buffer.Length > _array!.Length)
            {
                byte[] larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(Array.MaxLength, Math.Max((long)_array.Length * 2, Written + (long)buffer.Length)));
                _array.AsSpan(0, Written).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(_array);
                _array = larger;
            }
            buffer.CopyTo(_array.AsSpan(Written));
            Written += buffer.Length;
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (_array is { } array)
            {
                _array = null;
                ArrayPool<byte>.Shared.Return(array);
            }
            base.Dispose(disposing);
        }
    }
}
