using Orleans.Runtime.Catalog;
using Orleans.Serialization;

namespace Orleans.Runtime.Messaging;

/// <summary>
/// One call: its arguments, its way to the target and its outcome. Inside a process the same object is the message, the
/// work item that completes the caller, and the source of its task; across processes each side has its own.
/// </summary>
internal abstract class Request : IThreadPoolWorkItem
{
    private int _done;
    private CancellationTokenRegistration _callerRegistration;

    public abstract MethodDescriptor Method { get; }

    public ReferenceRuntime Runtime { get; set; } = null!;

    public GrainId Target { get; set; }

    /// <summary>Where it was sent; null as long as that is unknown or it stays in this process.</summary>
    public SiloAddress? TargetSilo { get; set; }

    /// <summary>The activation that waits for the outcome; null for callers outside of grains.</summary>
    public ActivationData? Caller { get; set; }

    public ulong CorrelationId { get; set; }

    /// <summary>The pending table's tick at which the caller gives up; 0 for never.</summary>
    public long DeadlineTick { get; set; }

    public Dictionary<string, object>? Context { get; set; }

    /// <summary>The silo that sent it and waits for the response; null for calls of this process.</summary>
    public SiloAddress? OriginSilo { get; set; }

    /// <summary>The client behind <see cref="OriginSilo"/> (its gateway), or behind this silo's gateway.</summary>
    public Guid OriginClient { get; set; }

    public int ForwardCount { get; set; }

    /// <summary>Whether the next sending on has been counted: its activation here ended.</summary>
    public bool IsForwardCounted { get; set; }

    /// <summary>Whether the sender has placed the grain here, so that it is activated if it is not yet.</summary>
    public bool IsPlacement { get; set; }

    public CancellationToken CallerToken { get; set; }

    /// <summary>Cancels the running method; only for methods that take a token.</summary>
    public CancellationTokenSource? Cancellation { get; set; }

    public bool IsRemote => OriginSilo is not null || OriginClient != Guid.Empty;

    public bool IsDone => Volatile.Read(ref _done) != 0;

    /// <summary>The token that the method gets.</summary>
    protected CancellationToken Token => Cancellation?.Token ?? CancellationToken.None;

    /// <summary>Whether it may start whatever else runs.</summary>
    public bool IsInterleaving => (Method.Traits & MethodTraits.AlwaysInterleave) != 0;

    public bool IsReadOnly => (Method.Traits & MethodTraits.ReadOnly) != 0;

    public abstract void WriteArguments(MessageWriter writer);

    public abstract void ReadArguments(MessageReader reader);

    public abstract void CopyArguments(CopyContext context);

    /// <summary>Writes the result that <see cref="Run"/> left, as field 0.</summary>
    public abstract void WriteResult(MessageWriter writer);

    /// <summary>Reads a result that came back and completes the caller with it.</summary>
    public abstract void ReadResult(MessageReader reader, WireType wire);

    /// <summary>Calls the method; <paramref name="host"/> is told when it has ended, then the outcome is handed on.</summary>
    public abstract void Run(IRequestHost host, object target);

    /// <summary>Completes the caller's task; runs where the caller wants to continue.</summary>
    protected abstract void Finish();

    /// <summary>Makes the arguments the call's own, as the caller may change them once it has its task.</summary>
    public void DetachArguments()
    {
        if ((Method.Traits & MethodTraits.ImmutableArguments) != 0)
        {
            return;
        }
        CopyContext context = CopyContext.Rent();
        CopyArguments(context);
        context.Return();
    }

    public void WatchCaller()
    {
        if (CallerToken.CanBeCanceled)
        {
            _callerRegistration = CallerToken.UnsafeRegister(static state => ((Request)state!).OnCallerCancelled(), this);
        }
    }

    /// <summary>Completes the call with an error; false where it was already complete.</summary>
    public bool TryFail(Exception error)
    {
        if (!TryTakeOutcome())
        {
            return false;
        }
        Error = error;
        Deliver();
        return true;
    }

    /// <summary>Ends the call with an error on the way to its target, wherever its caller is.</summary>
    public void Reject(Exception error)
    {
        if (!IsRemote)
        {
            TryFail(error);
        }
        else if (!Method.IsOneWay)
        {
            Runtime.SendResponse(this, error);
        }
    }

    void IThreadPoolWorkItem.Execute() => Finish();

    /// <summary>Runs in the caller's turn.</summary>
    public void FinishInTurn() => Finish();

    protected Exception? Error { get; set; }

    /// <summary>True for exactly one of: response, error, timeout, cancellation.</summary>
    protected bool TryTakeOutcome()
    {
        if (Interlocked.Exchange(ref _done, 1) != 0)
        {
            return false;
        }
        Runtime.Pending.Remove(CorrelationId);
        _callerRegistration.Unregister();
        return true;
    }

    protected void Deliver()
    {
        if (Caller is { } caller)
        {
            caller.Turns.EnqueueCompletion(this);
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
        }
    }

    private void OnCallerCancelled()
    {
        ulong id = CorrelationId;
        if (Runtime.WaitForCancellationAcknowledgement)
        {
            Runtime.SendCancel(this, id);
            return;
        }
        if (TryTakeOutcome())
        {
            Error = new OperationCanceledException(CallerToken);
            Runtime.SendCancel(this, id);
            Deliver();
        }
    }
}

/// <summary>What runs requests: an activation, an observer, a service of the runtime.</summary>
internal interface IRequestHost
{
    /// <summary>Called when a request's method has ended, before its outcome is handed on.</summary>
    void OnEnded(Request request, Exception? error);
}
