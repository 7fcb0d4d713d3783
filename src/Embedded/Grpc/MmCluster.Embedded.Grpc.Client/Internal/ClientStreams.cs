using System.IO.Pipelines;
using System.Net;
using Grpc.Core;
using Grpc.Core.Internal;

namespace Grpc.Net.Client.Internal;

/// <summary>The responses of a call.</summary>
internal sealed class ClientStreamReader<TRequest, TResponse>(
    GrpcCall<TRequest, TResponse> call, Task<OpenResponse?> opening) : IAsyncStreamReader<TResponse>
    where TRequest : class
    where TResponse : class
{
    private FrameReader? _reader;
    private TResponse? _current;
    private Task<bool>? _last;

    public TResponse Current =>
        _current ?? throw new InvalidOperationException("There is no current message: MoveNext has not found one.");

    public Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (_last is { IsCompleted: false })
        {
            return Task.FromException<bool>(new InvalidOperationException("Can't read the next message because the previous read is still in progress."));
        }
        if (cancellationToken.IsCancellationRequested)
        {
            call.Cancel();
        }
        try
        {
            if (_reader is not null && call.Status is null && _reader.TryRead(call.Deserializer, out TResponse message))
            {
                _current = message;
                return Task.FromResult(true);
            }
        }
        catch (Exception error)
        {
            return Task.FromException<bool>(call.EndFromError(error));
        }
        return _last = WaitAsync(cancellationToken);
    }

    private async Task<bool> WaitAsync(CancellationToken cancellationToken)
    {
        await using CancellationTokenRegistration registration =
            cancellationToken.UnsafeRegister(static call => ((GrpcCall)call!).Cancel(), call);
        _current = null;
        try
        {
            OpenResponse? open = await opening;
            if (open is null || call.Status is not null)
            {
                return AtEnd();
            }
            (HttpResponseMessage response, FrameReader reader, PipeReader pipe) = open;
            _reader = reader;
            while (await reader.FillAsync(call.Token))
            {
                if (reader.TryRead(call.Deserializer, out TResponse message))
                {
                    _current = message;
                    return true;
                }
            }
            await pipe.CompleteAsync();
            (Status status, Metadata trailers) = ResponseProtocol.StatusInTrailers(response);
            response.Dispose();
            call.EndFromServer(status, trailers);
            return AtEnd();
        }
        catch (Exception error) when (call.Status is not { StatusCode: StatusCode.OK })
        {
            throw call.EndFromError(error);
        }
    }

    private bool AtEnd() => call.GetStatus().StatusCode == StatusCode.OK ? false : throw call.EndException();
}

/// <summary>The requests of a call. Writes go into a buffer that the HTTP request's body drains.</summary>
internal sealed class ClientStreamWriter<TRequest, TResponse> : IClientStreamWriter<TRequest>
    where TRequest : class
    where TResponse : class
{
    private readonly GrpcCall<TRequest, TResponse> _call;
    private readonly FramePump _pump;
    private readonly TaskCompletionSource _complete = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Stream? _body;
    private Task _last = Task.CompletedTask;

    public ClientStreamWriter(GrpcCall<TRequest, TResponse> call)
    {
        _call = call;
        _pump = new FramePump(call.NewFrames(), SendAsync, open: false);
        WriteOptions = call.Options.WriteOptions;
        call.Ended = error =>
        {
            _pump.Fail(error);
            _complete.TrySetCanceled();
        };
        if (call.Status is not null)
        {
            call.Ended(new RpcException(call.GetStatus()));
        }
    }

    public WriteOptions? WriteOptions { get; set; }

    /// <summary>The request's body: open until the stream is completed.</summary>
    public HttpContent Content() => new StreamBody(this);

    public Task WriteAsync(TRequest message) => WriteAsync(message, CancellationToken.None);

    public Task WriteAsync(TRequest message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (cancellationToken.IsCancellationRequested)
        {
            _call.Cancel();
        }
        if (_call.Status is not null)
        {
            return Task.FromException(_call.EndException());
        }
        if (_complete.Task.IsCompleted)
        {
            return Task.FromException(new InvalidOperationException("Request stream has already been completed."));
        }
        if (!_last.IsCompleted)
        {
            return Task.FromException(new InvalidOperationException("Can't write the message because the previous write is in progress."));
        }
        _last = _pump.WriteAsync(message, _call.RequestMarshaller.ContextualSerializer, WriteOptions?.Flags ?? default);
        return _last.IsCompleted || !cancellationToken.CanBeCanceled ? _last : CancellableAsync(_last, cancellationToken);
    }

    public Task CompleteAsync()
    {
        if (!_last.IsCompleted)
        {
            return Task.FromException(
                new InvalidOperationException("Can't complete the client stream writer because the previous write is in progress."));
        }
        _complete.TrySetResult();
        return Task.CompletedTask;
    }

    private async Task CancellableAsync(Task write, CancellationToken cancellationToken)
    {
        await using CancellationTokenRegistration registration =
            cancellationToken.UnsafeRegister(static call => ((GrpcCall)call!).Cancel(), _call);
        await write;
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        await _body!.WriteAsync(bytes, _call.Token);
        await _body.FlushAsync(_call.Token);
    }

    private async Task RunBodyAsync(Stream body)
    {
        _body = body;
        _pump.Open();
        await _complete.Task;
        await _pump.FlushAsync();
    }

    private sealed class StreamBody(ClientStreamWriter<TRequest, TResponse> writer) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => writer.RunBodyAsync(stream);

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
