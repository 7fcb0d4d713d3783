using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Runtime.Messaging;

namespace Orleans.Runtime;

/// <summary>What references of one host are bound to: how calls leave a silo or a client, and how outcomes come back.</summary>
internal abstract class ReferenceRuntime : IDisposable
{
    private readonly TimeSpan _responseTimeout;
    private readonly bool _cancelOnTimeout;

    protected ReferenceRuntime(MessagingOptions options, TimeProvider time, ILogger logger, GrainTypes grainTypes)
    {
        _responseTimeout = options.ResponseTimeout;
        _cancelOnTimeout = options.CancelRequestOnTimeout;
        WaitForCancellationAcknowledgement = options.WaitForCancellationAcknowledgement;
        Time = time;
        Logger = logger;
        GrainTypes = grainTypes;
        References = new ReferenceFactory(this);
        Pending = new PendingCalls(time, OnTimeout);
        Observers = new ObserverTable(this);
    }

    public ReferenceFactory References { get; }

    public GrainTypes GrainTypes { get; }

    public PendingCalls Pending { get; }

    public ObserverTable Observers { get; }

    public TimeProvider Time { get; }

    public ILogger Logger { get; }

    public TimeSpan ResponseTimeout => _responseTimeout;

    public bool WaitForCancellationAcknowledgement { get; }

    /// <summary>The identity of the observers that live here.</summary>
    public abstract Guid ClientId { get; }

    /// <summary>Sends a call of this process; an exception fails it.</summary>
    public void Send(GrainReference reference, Request request, CancellationToken token)
    {
        request.Runtime = this;
        request.Target = reference.GrainId;
        request.TargetSilo = reference.FixedSilo;
        request.Caller = RuntimeContext.Current;
        request.Context = RequestContext.Export();
        MethodDescriptor method = request.Method;
        try
        {
            if (!method.IsOneWay)
            {
                token.ThrowIfCancellationRequested();
                request.CallerToken = token;
                request.DeadlineTick = Pending.DeadlineAfter(method.Timeout ?? _responseTimeout);
                Pending.Add(request);
                request.WatchCaller();
            }
            if (!request.IsDone)
            {
                Dispatch(request);
            }
        }
        catch (Exception error)
        {
            request.TryFail(error);
        }
    }

    /// <summary>The time a call has left, in milliseconds; 0 for no limit.</summary>
    public uint TimeLeft(Request request) => request.DeadlineTick == 0 ? 0
        : (uint)Math.Clamp((request.DeadlineTick - Pending.Now) * (long)PendingCalls.Tick.TotalMilliseconds, 1, uint.MaxValue);

    public abstract void Dispatch(Request request);

    /// <summary>Sends the result that <paramref name="request"/> holds, or <paramref name="error"/>, to the process it came from.</summary>
    public abstract void SendResponse(Request request, Exception? error);

    /// <summary>Tells the target that the caller has given up.</summary>
    public abstract void SendCancel(Request request, ulong correlationId);

    public virtual void Dispose()
    {
        Pending.Dispose();
        GC.SuppressFinalize(this);
    }

    private void OnTimeout(Request request)
    {
        ulong id = request.CorrelationId;
        TimeSpan timeout = request.Method.Timeout ?? _responseTimeout;
        string where = request.TargetSilo is { } silo ? $" on {silo}" : "";
        if (request.TryFail(new TimeoutException($"Response did not arrive on time in {timeout} for message: {request.Method} to {request.Target}{where}."))
            && _cancelOnTimeout)
        {
            SendCancel(request, id);
        }
    }
}
