namespace Grpc.Core;

/// <summary>Messages as they arrive. One read at a time.</summary>
public interface IAsyncStreamReader<out T>
{
    /// <summary>The message that the last <see cref="MoveNext"/> found.</summary>
    T Current { get; }

    /// <summary>Waits for a message; false at the stream's good end, <see cref="RpcException"/> at a bad one.</summary>
    Task<bool> MoveNext(CancellationToken cancellationToken);
}

/// <summary>Takes messages to send. One write at a time.</summary>
public interface IAsyncStreamWriter<in T>
{
    /// <summary>Options of the writes that follow; null is the default.</summary>
    WriteOptions? WriteOptions { get; set; }

    /// <summary>Takes a message; the task ends when the next may be written.</summary>
    Task WriteAsync(T message);

    /// <summary>Takes a message; cancelling the wait cancels the call.</summary>
    Task WriteAsync(T message, CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
        {
            throw new NotSupportedException("Cancellation of stream writes is not supported by this gRPC implementation.");
        }
        return WriteAsync(message);
    }
}

/// <summary>A client's stream of requests.</summary>
public interface IClientStreamWriter<in T> : IAsyncStreamWriter<T>
{
    /// <summary>Says that no more requests follow.</summary>
    Task CompleteAsync();
}

/// <summary>A server's stream of responses; the handler's return ends it.</summary>
public interface IServerStreamWriter<in T> : IAsyncStreamWriter<T>
{
}

/// <summary>Shorthands for readers.</summary>
public static class AsyncStreamReaderExtensions
{
    /// <summary><see cref="IAsyncStreamReader{T}.MoveNext"/> without a token.</summary>
    public static Task<bool> MoveNext<T>(this IAsyncStreamReader<T> streamReader)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(streamReader);
        return streamReader.MoveNext(CancellationToken.None);
    }
}
