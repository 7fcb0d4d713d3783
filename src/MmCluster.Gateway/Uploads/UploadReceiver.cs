using Google.Protobuf;
using Grpc.Core;
using MmCluster.Models;
using MmCluster.Protos.V1;

namespace MmCluster.Gateway.Uploads;

/// <summary>Takes one upload's pieces into the store, within the limits of one upload and of all.</summary>
internal sealed class UploadReceiver(UploadStore store, long maxBytes, TimeProvider time)
{
    /// <summary>Reads all pieces and keeps them for <paramref name="tenant"/>.</summary>
    /// <exception cref="MmException">InvalidArgument: empty or too long; ResourceExhausted: the store is full; DeadlineExceeded: it took too long.</exception>
    public async Task<Upload> ReceiveAsync(IAsyncStreamReader<UploadChunk> chunks, string tenant, CancellationToken cancellationToken)
    {
        using var tooLong = new CancellationTokenSource(store.Lifetime, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, tooLong.Token);
        var pieces = new List<ByteString>();
        long length = 0;
        try
        {
            while (await chunks.MoveNext(stop.Token))
            {
                ByteString piece = chunks.Current.Data;
                if (piece.Length > maxBytes - length)
                {
                    throw new MmException(MmErrorCode.InvalidArgument, $"an upload may have {maxBytes} bytes at most") { Param = "data" };
                }
                if (piece.Length > 0)
                {
                    store.Reserve(piece.Length);
                    length += piece.Length;
                    pieces.Add(piece);
                }
            }
            return length == 0
                ? throw new MmException(MmErrorCode.InvalidArgument, "the upload is empty") { Param = "data" }
                : store.Keep(Join(pieces, (int)length), tenant);
        }
        catch (Exception error)
        {
            store.Release(length);
            if (tooLong.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                throw new MmException(MmErrorCode.DeadlineExceeded, $"the upload took more than {store.Lifetime.TotalSeconds} s", error);
            }
            throw;
        }
    }

    private static byte[] Join(List<ByteString> pieces, int length)
    {
        byte[] whole = GC.AllocateUninitializedArray<byte>(length);
        int at = 0;
        foreach (ByteString piece in pieces)
        {
            piece.Span.CopyTo(whole.AsSpan(at));
            at += piece.Length;
        }
        return whole;
    }
}
