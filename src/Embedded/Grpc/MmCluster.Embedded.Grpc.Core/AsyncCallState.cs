namespace Grpc.Core;

/// <summary>What all call objects share: the parts of a call that are asked for by function.</summary>
internal readonly struct AsyncCallState(
    object? state,
    Func<object, Task<Metadata>> headers,
    Func<object, Status> status,
    Func<object, Metadata> trailers,
    Action<object> dispose)
{
    public AsyncCallState(Task<Metadata> headers, Func<Status> status, Func<Metadata> trailers, Action dispose)
        : this(null, _ => headers, _ => status(), _ => trailers(), _ => dispose())
    {
    }

    public Task<Metadata> ResponseHeadersAsync() => headers(state!);

    public Status GetStatus() => status(state!);

    public Metadata GetTrailers() => trailers(state!);

    public void Dispose() => dispose(state!);
}
