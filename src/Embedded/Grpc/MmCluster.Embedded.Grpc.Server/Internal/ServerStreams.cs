using Grpc.Core;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>A handler's requests.</summary>
internal sealed class ServerStreamReader<T>(HttpCallContext call, Func<DeserializationContext, T> deserializer) : IAsyncStreamReader<T>
    where T : class
{
    private T? _current;

    public T Current => _current!;

    public Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled<bool>(cancellationToken);
        }
        if (call.HasEnded || call.CancellationToken.IsCancellationRequested)
        {
            return Task.FromException<bool>(new InvalidOperationException("Can't read messages after the request is complete."));
        }
        try
        {
            if (call.Requests.TryRead(deserializer, out T message))
            {
                _current = message;
                return Task.FromResult(true);
            }
        }
        catch (Exception error)
        {
            return Task.FromException<bool>(error);
        }
        return WaitAsync(cancellationToken);
    }

    private async Task<bool> WaitAsync(CancellationToken cancellationToken)
    {
        while (await call.Requests.FillAsync(cancellationToken))
        {
            if (call.Requests.TryRead(deserializer, out T message))
            {
                _current = message;
                return true;
            }
        }
        _current = null;
        return false;
    }
}

/// <summary>A handler's responses.</summary>
internal sealed class ServerStreamWriter<T>(HttpCallContext call, Action<T, SerializationContext> serializer) : IServerStreamWriter<T>
    where T : class
{
    public WriteOptions? WriteOptions
    {
        get => call.WriteOptions;
        set => call.WriteOptions = value;
    }

    public Task WriteAsync(T message) => WriteAsync(message, CancellationToken.None);

    public Task WriteAsync(T message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled(cancellationToken);
        }
        if (call.HasEnded || call.CancellationToken.IsCancellationRequested)
        {
            return Task.FromException(new InvalidOperationException("Can't write the message because the request is complete."));
        }
        Task written = call.Pump.WriteAsync(message, serializer, call.WriteOptions?.Flags ?? default);
        return written.IsCompleted || !cancellationToken.CanBeCanceled ? written : written.WaitAsync(cancellationToken);
    }
}
