using Orleans.Runtime.Messaging;
using Orleans.Runtime.Storage;
using Orleans.Runtime.Streaming;
using Orleans.Storage;

namespace Orleans.Runtime.Catalog;

/// <summary>Where an activation stands in its life.</summary>
internal enum ActivationState
{
    /// <summary>Being registered and started; requests wait.</summary>
    Activating,

    /// <summary>Serving.</summary>
    Valid,

    /// <summary>Finishing what runs; new requests wait, to be sent on.</summary>
    Deactivating,

    /// <summary>Gone.</summary>
    Invalid,
}

/// <summary>One activation of a grain: its object, its turns and its requests.</summary>
internal sealed partial class ActivationData : IGrainContext, IRequestHost
{
    private readonly Lock _lock = new();
    private readonly RequestGate _gate;
    private readonly TaskCompletionSource _deactivated = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ActivationLifecycle _lifecycle;
    private long _keepUntil;
    private long _lastUse;
    private bool _begun;

    public ActivationData(SiloServices services, GrainClass grainClass, GrainAddress address, IActivationOwner owner)
    {
        Services = services;
        GrainClass = grainClass;
        Address = address;
        Owner = owner;
        _gate = new RequestGate(grainClass.IsReentrant);
        Turns = new TurnQueue(this, services.TurnOptions);
        _lifecycle = new ActivationLifecycle(this);
        _lastUse = services.Time.GetTimestamp();
    }

    public SiloServices Services { get; }

    public GrainClass GrainClass { get; }

    public IActivationOwner Owner { get; }

    public TurnQueue Turns { get; }

    public GrainAddress Address { get; internal set; }

    public GrainId GrainId => Address.GrainId;

    public ActivationId ActivationId => Address.ActivationId;

    public GrainReference GrainReference => new UntypedReference(Services.Runtime, GrainId);

    public object? GrainInstance { get; internal set; }

    public IServiceProvider ActivationServices { get; internal set; } = null!;

    public Task Deactivated => _deactivated.Task;

    public ActivationState State { get; private set; }

    /// <summary>What <see cref="Grain{TGrainState}"/> reads before it is activated.</summary>
    public StateHolder? StateToRead { get; set; }

    /// <summary>The enumerations that callers have open; null until the first.</summary>
    public EnumeratorStore? Enumerators { get; set; }

    /// <summary>The timers that run.</summary>
    public TimerSet Timers => field ??= new TimerSet(this);

    /// <summary>How many requests run or wait.</summary>
    public int Load
    {
        get
        {
            lock (_lock)
            {
                return _gate.Running + _gate.Waiting;
            }
        }
    }

    public TimeSpan Idle => Services.Time.GetElapsedTime(Volatile.Read(ref _lastUse));

    /// <summary>Takes a request; false where the activation is gone and it must be sent elsewhere.</summary>
    public bool TryReceive(Request request)
    {
        lock (_lock)
        {
            if (State == ActivationState.Invalid)
            {
                return false;
            }
            if (State == ActivationState.Valid && _gate.MayRun(request))
            {
                _gate.Started(request);
            }
            else
            {
                int limit = Services.MessagingOptions.MaxEnqueuedRequestsHardLimit;
                if (limit <= 0 || _gate.Waiting < limit)
                {
                    _gate.Wait(request);
                    return true;
                }
                request.Reject(new OrleansMessageRejectionException($"{GrainId} has {limit} requests waiting; no more are taken."));
                return true;
            }
        }
        Turns.EnqueueRequest(request);
        return true;
    }

    /// <summary>Runs a request; called in a turn.</summary>
    public void Start(Request request)
    {
        if (request.Cancellation is { IsCancellationRequested: true })
        {
            OnEnded(request, null);
            request.Reject(new OperationCanceledException(request.Cancellation.Token));
            return;
        }
        if (request.IsDone && !request.IsRemote)
        {
            OnEnded(request, null); // the caller has given up
            return;
        }
        RequestContext.Import(request.Context);
        request.Run(this, GrainInstance!);
    }

    public void OnEnded(Request request, Exception? error)
    {
        Services.RunningCancellable.Remove(request);
        if (error is InconsistentStateException { IsSourceActivation: true } inconsistent)
        {
            // The state in memory is not what is stored: start again from the store.
            inconsistent.IsSourceActivation = false;
            Deactivate(new DeactivationReason(DeactivationReasonCode.ApplicationError, "Inconsistent state", error));
        }
        Leave(request, isUse: true);
    }

    /// <summary>A tick is use only if its timer says so.</summary>
    public void OnTickEnded(Request tick, bool isUse) => Leave(tick, isUse);

    private void Leave(Request request, bool isUse)
    {
        lock (_lock)
        {
            _gate.Ended(request);
            if (isUse)
            {
                Volatile.Write(ref _lastUse, Services.Time.GetTimestamp());
            }
            StartWaiting();
            if (State != ActivationState.Deactivating || _gate.Running > 0)
            {
                return;
            }
        }
        _lifecycle.OnQuiet();
    }

    public void Deactivate(DeactivationReason deactivationReason, CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            if (State is ActivationState.Deactivating or ActivationState.Invalid || !_lifecycle.TryRequestEnd(deactivationReason, State))
            {
                return;
            }
            State = ActivationState.Deactivating;
            _lifecycle.BoundEnd(cancellationToken);
            if (_gate.Running > 0)
            {
                return;
            }
        }
        _lifecycle.OnQuiet();
    }

    public void DeactivateOnIdle() =>
        Deactivate(new DeactivationReason(DeactivationReasonCode.ApplicationRequested, "DeactivateOnIdle was called."));

    public void DelayDeactivation(TimeSpan span)
    {
        long until = span == Timeout.InfiniteTimeSpan || span >= TimeSpan.FromDays(1000) ? long.MaxValue
            : span < TimeSpan.Zero ? 0
            : Services.Time.GetTimestamp() + (long)(span.TotalSeconds * Services.Time.TimestampFrequency);
        Volatile.Write(ref _keepUntil, until);
    }

    /// <summary>Whether nothing runs or waits and the last use is at least <paramref name="age"/> ago.</summary>
    public bool IsCollectable(TimeSpan age)
    {
        lock (_lock)
        {
            return State == ActivationState.Valid && _gate.Running == 0 && _gate.Waiting == 0 && Idle >= age
                && Services.Time.GetTimestamp() >= Volatile.Read(ref _keepUntil);
        }
    }

    /// <summary>Starts the activation's life, the first time; requests that come meanwhile wait.</summary>
    public void BeginOnce(Dictionary<string, object>? context)
    {
        if (!_begun && !Interlocked.Exchange(ref _begun, true))
        {
            _lifecycle.Begin(context);
        }
    }

    internal void Touch() => Volatile.Write(ref _lastUse, Services.Time.GetTimestamp());

    /// <summary>Lets requests in, unless the end was asked for meanwhile.</summary>
    internal bool TryBecomeValid()
    {
        lock (_lock)
        {
            if (State != ActivationState.Activating)
            {
                return false;
            }
            State = ActivationState.Valid;
            StartWaiting();
            return true;
        }
    }

    /// <summary>Ends it; what still waits is the caller's to send on.</summary>
    internal Request[] BecomeInvalid()
    {
        lock (_lock)
        {
            State = ActivationState.Invalid;
            return _gate.Drain();
        }
    }

    internal void SetDeactivated() => _deactivated.TrySetResult();

    bool IEquatable<IGrainContext>.Equals(IGrainContext? other) => ReferenceEquals(this, other);

    private void StartWaiting()
    {
        while (State == ActivationState.Valid && _gate.Next() is { } next)
        {
            _gate.Started(next);
            Turns.EnqueueRequest(next);
        }
    }
}

/// <summary>Who keeps an activation and must forget it when it ends.</summary>
internal interface IActivationOwner
{
    void Forget(ActivationData activation);
}

/// <summary>The reference of a grain seen from inside, which has no interface until it is cast.</summary>
internal sealed class UntypedReference(ReferenceRuntime runtime, GrainId grainId) : GrainReference(runtime, grainId)
{
    internal override string InterfaceName => throw new NotSupportedException("cast the reference to a grain interface before it is sent.");

    internal override Type InterfaceType => typeof(IAddressable);
}
