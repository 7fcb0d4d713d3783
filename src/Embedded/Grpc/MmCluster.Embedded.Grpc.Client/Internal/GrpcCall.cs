using Grpc.Core;
using Grpc.Core.Internal;

namespace Grpc.Net.Client.Internal;

/// <summary>
/// A call's life apart from its messages: response, deadline, caller's token and disposal race for its end; the first
/// sets the status and what comes later is ignored.
/// </summary>
internal abstract class GrpcCall : IDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _cancellation = new();
    private readonly GrpcChannel _channel;
    private readonly CancellationTokenRegistration _callerToken;
    private readonly ITimer? _deadline;
    private TaskCompletionSource<Metadata>? _headers;
    private HttpResponseMessage? _response;
    private Status? _status;
    private Metadata _trailers = Metadata.Empty;

    protected GrpcCall(GrpcChannel channel, CallOptions options)
    {
        _channel = channel;
        if (options.Deadline is { } at && at != DateTime.MaxValue)
        {
            if (at.Kind != DateTimeKind.Utc && at != DateTime.MinValue)
            {
                throw new InvalidOperationException(
                    "Deadline must have a kind DateTimeKind.Utc or be equal to DateTime.MaxValue or DateTime.MinValue.");
            }
            TimeSpan left = at - channel.Time.GetUtcNow().UtcDateTime;
            TimeLeft = left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
        channel.Add(this);
        if (TimeLeft == TimeSpan.Zero)
        {
            Expire();
        }
        else if (TimeLeft is { } left)
        {
            _deadline = channel.Time.CreateTimer(
                static call => ((GrpcCall)call!).Expire(), this, left < GrpcTimeout.Longest ? left : GrpcTimeout.Longest, Timeout.InfiniteTimeSpan);
        }
        _callerToken = options.CancellationToken.UnsafeRegister(static call => ((GrpcCall)call!).Cancel(), this);
        if (_status is not null)
        {
            Release();
        }
    }

    /// <summary>Called once, when the call ends; for the stream of requests.</summary>
    public Action<RpcException>? Ended { get; set; }

    /// <summary>The time that the deadline leaves, or null.</summary>
    protected TimeSpan? TimeLeft { get; }

    /// <summary>Cancelled when the call ends before its response did.</summary>
    public CancellationToken Token => _cancellation.Token;

    /// <summary>How the call ended, or null while it runs.</summary>
    public Status? Status
    {
        get
        {
            lock (_lock)
            {
                return _status;
            }
        }
    }

    public Status GetStatus() =>
        Status ?? throw new InvalidOperationException("Unable to get the status because the call is not complete.");

    public Metadata GetTrailers()
    {
        if (Status is null)
        {
            throw new InvalidOperationException("Can't get the call trailers because the call has not completed successfully.");
        }
        return _trailers;
    }

    public Task<Metadata> HeadersAsync()
    {
        lock (_lock)
        {
            if (_headers is null)
            {
                _headers = new TaskCompletionSource<Metadata>(TaskCreationOptions.RunContinuationsAsynchronously);
                if (_response is not null)
                {
                    _headers.SetResult(ResponseProtocol.ReadHeaders(_response));
                }
                else if (_status is { } status)
                {
                    _headers.SetException(new RpcException(status, _trailers));
                }
            }
            return _headers.Task;
        }
    }

    public void Cancel() => End(new Status(StatusCode.Cancelled, "Call canceled by the client."), Metadata.Empty, cancel: true);

    public void Dispose() => End(new Status(StatusCode.Cancelled, "gRPC call disposed."), Metadata.Empty, cancel: true);

    /// <summary>Notes the response, whose headers a caller may be waiting for.</summary>
    protected void SetResponse(HttpResponseMessage response)
    {
        TaskCompletionSource<Metadata>? waiting;
        bool ended;
        lock (_lock)
        {
            _response = response;
            waiting = _headers;
            ended = _status is not null;
        }
        waiting?.TrySetResult(ResponseProtocol.ReadHeaders(response));
        if (ended)
        {
            response.Dispose();
        }
    }

    /// <summary>Ends the call with what the server said.</summary>
    public void EndFromServer(Status status, Metadata trailers) => End(status, trailers, cancel: false);

    /// <summary>Ends the call with what an exception says; returns what the caller is to see.</summary>
    public Exception EndFromError(Exception error)
    {
        if (error is RpcException rpc)
        {
            End(rpc.Status, rpc.Trailers, cancel: true);
        }
        else
        {
            string where = _response is null ? "Error starting gRPC call." : "Error reading next message.";
            End(new Status(ClientErrors.StatusOf(error), $"{where} {ClientErrors.Describe(error)}", error), Metadata.Empty, cancel: true);
        }
        return EndException();
    }

    /// <summary>The exception of a call that has ended.</summary>
    public Exception EndException()
    {
        Status status = GetStatus();
        return _channel.Options.ThrowOperationCanceledOnCancellation && status.StatusCode is (StatusCode.Cancelled or StatusCode.DeadlineExceeded)
            ? new OperationCanceledException(status.Detail, new RpcException(status, _trailers))
            : new RpcException(status, _trailers);
    }

    private void Expire() => End(new Status(StatusCode.DeadlineExceeded, string.Empty), Metadata.Empty, cancel: true);

    private void End(Status status, Metadata trailers, bool cancel)
    {
        TaskCompletionSource<Metadata>? waiting;
        HttpResponseMessage? response;
        lock (_lock)
        {
            if (_status is not null)
            {
                return;
            }
            _status = status;
            _trailers = trailers;
            response = _response;
            waiting = response is null ? _headers : null;
        }
        if (cancel)
        {
            _cancellation.Cancel();
            response?.Dispose(); // resets the stream also when nobody is reading it
        }
        Release();
        var error = new RpcException(status, trailers);
        if (waiting?.TrySetException(error) == true)
        {
            _ = waiting.Task.Exception; // seen: the caller may not wait any more
        }
        Ended?.Invoke(error);
    }

    private void Release()
    {
        _channel.Remove(this);
        _callerToken.Unregister();
        _deadline?.Dispose();
    }
}
