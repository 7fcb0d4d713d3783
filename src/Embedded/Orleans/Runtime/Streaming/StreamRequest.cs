using Orleans.Runtime.Catalog;
using Orleans.Runtime.Messaging;
using Orleans.Serialization;

namespace Orleans.Runtime.Streaming;

/// <summary>A call whose result is a step of an enumeration.</summary>
internal abstract class StepRequest : TaskResultRequest<Step>
{
    public Guid EnumerationId { get; set; }

    public sealed override void WriteResult(MessageWriter writer) => Result.Write(writer);

    public sealed override async void Run(IRequestHost host, object target)
    {
        Step step;
        try
        {
            ActivationData activation = host as ActivationData
                ?? throw new NotSupportedException("only grains have methods that return IAsyncEnumerable.");
            step = await StepAsync(activation.Enumerators ??= new EnumeratorStore(activation), target);
        }
        catch (Exception error)
        {
            Return(host, error);
            return;
        }
        host.OnEnded(this, null);
        if (IsRemote)
        {
            Result = step;
            Runtime.SendResponse(this, null);
        }
        else
        {
            Succeed(step); // the items are the step's own copies
        }
    }

    protected abstract Task<Step> StepAsync(EnumeratorStore store, object target);
}

/// <summary>Starts an enumeration; derived classes are generated and hold the method's arguments. The first step is the result.</summary>
internal abstract class StreamRequest<T> : StepRequest
{
    public int BatchSize { get; set; } = RemoteEnumerable.DefaultBatchSize;

    public sealed override void WriteArguments(MessageWriter writer)
    {
        writer.WriteRaw(EnumerationId.ToByteArray());
        writer.WriteVarUInt32((uint)BatchSize);
        WriteMethodArguments(writer);
    }

    public sealed override void ReadArguments(MessageReader reader)
    {
        EnumerationId = new Guid(reader.ReadRaw(16));
        BatchSize = (int)Math.Clamp(reader.ReadVarUInt32(), 1, RemoteEnumerable.MaxBatchSize);
        ReadMethodArguments(reader);
    }

    public sealed override void ReadResult(MessageReader reader, WireType wire) => Succeed(Step<T>.Read(reader, wire));

    protected sealed override Task<Step> StepAsync(EnumeratorStore store, object target)
    {
        CancellationTokenSource cancellation = new();
        Cancellation = cancellation; // the method's token
        store.Add(EnumerationId, new HeldEnumerator<T>(Invoke(target), BatchSize, cancellation, IsRemote));
        return store.StepAsync(EnumerationId);
    }

    protected abstract IAsyncEnumerable<T> Invoke(object target);

    protected abstract void WriteMethodArguments(MessageWriter writer);

    protected abstract void ReadMethodArguments(MessageReader reader);
}

/// <summary>Asks an enumeration for its next items.</summary>
internal sealed class MoveNextRequest<T> : StepRequest
{
    public override MethodDescriptor Method => MoveNextRequest.Descriptor;

    public override void WriteArguments(MessageWriter writer) => writer.WriteRaw(EnumerationId.ToByteArray());

    public override void ReadArguments(MessageReader reader) => EnumerationId = new Guid(reader.ReadRaw(16));

    public override void CopyArguments(CopyContext context)
    {
    }

    public override void ReadResult(MessageReader reader, WireType wire) => Succeed(Step<T>.Read(reader, wire));

    protected override Task<Step> StepAsync(EnumeratorStore store, object target) => store.StepAsync(EnumerationId);
}

/// <summary>The method behind <see cref="MoveNextRequest{T}"/>; the side of the grain does not need the item type.</summary>
internal static class MoveNextRequest
{
    public static readonly MethodDescriptor Descriptor = new(
        "sys.enumerate", "MoveNext", MethodTraits.AlwaysInterleave | MethodTraits.ImmutableArguments, 0, static () => new MoveNextRequest<byte>());
}

/// <summary>Ends an enumeration.</summary>
internal sealed class DisposeRequest : TaskRequest
{
    public static readonly MethodDescriptor Descriptor = new(
        "sys.enumerate", "Dispose", MethodTraits.AlwaysInterleave | MethodTraits.ImmutableArguments, 0, static () => new DisposeRequest());

    public Guid EnumerationId { get; set; }

    public override MethodDescriptor Method => Descriptor;

    public override void WriteArguments(MessageWriter writer) => writer.WriteRaw(EnumerationId.ToByteArray());

    public override void ReadArguments(MessageReader reader) => EnumerationId = new Guid(reader.ReadRaw(16));

    public override void CopyArguments(CopyContext context)
    {
    }

    protected override Task Invoke(object target) =>
        RuntimeContext.Current?.Enumerators?.CloseAsync(EnumerationId) ?? System.Threading.Tasks.Task.CompletedTask;
}
