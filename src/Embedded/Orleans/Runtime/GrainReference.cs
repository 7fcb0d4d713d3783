using Orleans.Runtime.Messaging;
using Orleans.Runtime.Streaming;

namespace Orleans.Runtime;

/// <summary>The way to call a grain or an observer: its id and the interface; generated proxies derive from it.</summary>
public abstract class GrainReference : IAddressable, IEquatable<GrainReference>
{
    private protected GrainReference(ReferenceRuntime runtime, GrainId grainId)
    {
        Runtime = runtime;
        GrainId = grainId;
    }

    internal GrainId GrainId { get; }

    internal ReferenceRuntime Runtime { get; }

    internal abstract string InterfaceName { get; }

    internal abstract Type InterfaceType { get; }

    /// <summary>The silo whose service this is; null for grains.</summary>
    internal SiloAddress? FixedSilo { get; set; }

    bool IEquatable<GrainReference>.Equals(GrainReference? other) => Equals(other);

    /// <summary>Whether both refer to the same grain.</summary>
    public sealed override bool Equals(object? obj) => obj is GrainReference other && GrainId.Equals(other.GrainId);

    /// <inheritdoc/>
    public sealed override int GetHashCode() => GrainId.GetHashCode();

    /// <summary>The id of the grain.</summary>
    public sealed override string ToString() => $"GrainReference:{GrainId}";

    internal Task<T> Call<T>(TaskRequest<T> request, CancellationToken token)
    {
        Task<T> task = request.Task;
        Runtime.Send(this, request, token);
        return task;
    }

    internal Task Call(TaskRequest request, CancellationToken token)
    {
        Task task = request.Task;
        Runtime.Send(this, request, token);
        return request.Method.IsOneWay ? Task.CompletedTask : task;
    }

    internal ValueTask<T> Call<T>(ValueTaskRequest<T> request, CancellationToken token)
    {
        Runtime.Send(this, request, token);
        return new ValueTask<T>(request, 0);
    }

    internal ValueTask Call(ValueTaskRequest request, CancellationToken token)
    {
        Runtime.Send(this, request, token);
        return request.Method.IsOneWay ? default : new ValueTask(request, 0);
    }

    internal void Call(VoidRequest request, CancellationToken token) => Runtime.Send(this, request, token);

    internal IAsyncEnumerable<T> Call<T>(Func<StreamRequest<T>> create, CancellationToken token) => new RemoteEnumerable<T>(this, create, token);
}

/// <summary>Base of generated proxies.</summary>
internal abstract class GrainProxy(ReferenceRuntime runtime, GrainId grainId) : GrainReference(runtime, grainId);
