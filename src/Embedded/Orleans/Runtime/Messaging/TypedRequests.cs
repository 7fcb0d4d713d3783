using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Threading.Tasks.Sources;
using Orleans.Serialization;

namespace Orleans.Runtime.Messaging;

/// <summary>The result of methods that return none.</summary>
internal readonly struct Nothing;

/// <summary>A call whose method returns <typeparamref name="T"/>, by whatever kind of task.</summary>
internal abstract class Request<T> : Request
{
    protected T Result = default!;

    public override void WriteResult(MessageWriter writer)
    {
        if (typeof(T) != typeof(Nothing))
        {
            Codecs<T>.Instance.Write(writer, 0, Result);
        }
    }

    public override void ReadResult(MessageReader reader, WireType wire)
    {
        T result = typeof(T) == typeof(Nothing) ? default! : Codecs<T>.Instance.Read(reader, wire);
        Succeed(result);
    }

    protected void Succeed(T result)
    {
        if (TryTakeOutcome())
        {
            Result = result;
            Deliver();
        }
    }

    /// <summary>Hands a method's result to the caller in this process, or sends it to the caller's.</summary>
    protected void Return(IRequestHost host, T result)
    {
        host.OnEnded(this, null);
        if (IsRemote)
        {
            Result = result;
            if (!Method.IsOneWay)
            {
                Runtime.SendResponse(this, null);
            }
            return;
        }
        if (typeof(T) != typeof(Nothing) && !Codecs<T>.IsImmutable && (Method.Traits & MethodTraits.ImmutableResult) == 0)
        {
            CopyContext context = CopyContext.Rent();
            try
            {
                result = Codecs<T>.Instance.Copy(result, context);
            }
            catch (Exception error)
            {
                TryFail(error);
                return;
            }
            finally
            {
                context.Return();
            }
        }
        Succeed(result);
    }

    protected void Return(IRequestHost host, Exception error)
    {
        host.OnEnded(this, error);
        if (!IsRemote)
        {
            TryFail(error);
        }
        else if (!Method.IsOneWay)
        {
            Runtime.SendResponse(this, error);
        }
    }

    /// <summary>Returns what <paramref name="running"/> ends with, once it has.</summary>
    protected void ReturnOutcome(IRequestHost host, Task running)
    {
        if (running.IsCompleted)
        {
            Harvest(host, running);
        }
        else
        {
            HarvestLater(host, running);
        }
    }

    protected InvalidOperationException ReturnedNull() => new($"{Method} returned null where a task is expected.");

    // Apart from its caller, as the closure is made where this begins.
    private void HarvestLater(IRequestHost host, Task running) => running.GetAwaiter().UnsafeOnCompleted(() => Harvest(host, running));

    private void Harvest(IRequestHost host, Task ended)
    {
        if (ended.IsCompletedSuccessfully)
        {
            Return(host, ended is Task<T> typed ? typed.GetAwaiter().GetResult() : default!); // Nothing has no typed task
        }
        else
        {
            Return(host, ended.IsFaulted ? ended.Exception!.InnerExceptions[0] : new TaskCanceledException(ended));
        }
    }
}

/// <summary>A call that its caller sees as a task.</summary>
internal abstract class TaskResultRequest<T> : Request<T>
{
    // A builder makes the task without a TaskCompletionSource; Finish runs where continuations may run inline.
    private AsyncTaskMethodBuilder<T> _builder = AsyncTaskMethodBuilder<T>.Create();

    public Task<T> Task => _builder.Task;

    protected override void Finish()
    {
        if (Error is null)
        {
            _builder.SetResult(Result);
        }
        else
        {
            _builder.SetException(Error);
        }
    }
}

/// <summary>A call of a method that returns a task with a result.</summary>
internal abstract class TaskRequest<T> : TaskResultRequest<T>
{
    public sealed override void Run(IRequestHost host, object target)
    {
        Task<T> running;
        try
        {
            running = Invoke(target) ?? throw ReturnedNull();
        }
        catch (Exception error)
        {
            Return(host, error);
            return;
        }
        ReturnOutcome(host, running);
    }

    protected abstract Task<T> Invoke(object target);
}

/// <summary>A call of a method that returns a task without a result.</summary>
internal abstract class TaskRequest : TaskResultRequest<Nothing>
{
    public sealed override void Run(IRequestHost host, object target)
    {
        Task running;
        try
        {
            running = Invoke(target) ?? throw ReturnedNull();
        }
        catch (Exception error)
        {
            Return(host, error);
            return;
        }
        ReturnOutcome(host, running);
    }

    protected abstract Task Invoke(object target);
}

/// <summary>A call of an observer's method that returns nothing; nobody waits for it.</summary>
internal abstract class VoidRequest : TaskResultRequest<Nothing>
{
    public sealed override void Run(IRequestHost host, object target)
    {
        try
        {
            Invoke(target);
        }
        catch (Exception error)
        {
            Return(host, error);
            return;
        }
        Return(host, default(Nothing));
    }

    protected abstract void Invoke(object target);
}

/// <summary>A call that its caller sees as a value task, whose source is the call itself.</summary>
internal abstract class ValueTaskResultRequest<T> : Request<T>, IValueTaskSource<T>, IValueTaskSource
{
    private static readonly Action<object?> Completed = static _ => { };

    private Action<object?>? _continuation;
    private object? _state;
    private ExecutionContext? _flow;
    private SynchronizationContext? _context;
    private bool _finished;

    ValueTaskSourceStatus IValueTaskSource<T>.GetStatus(short token) => Status;

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => Status;

    T IValueTaskSource<T>.GetResult(short token) => Harvest();

    void IValueTaskSource.GetResult(short token) => Harvest();

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        _state = state;
        _flow = (flags & ValueTaskSourceOnCompletedFlags.FlowExecutionContext) != 0 ? ExecutionContext.Capture() : null;
        // A caller in a grain is completed in its own turn; others may have a context of their own to come back to.
        _context = Caller is null && (flags & ValueTaskSourceOnCompletedFlags.UseSchedulingContext) != 0 ? SynchronizationContext.Current : null;
        if (Interlocked.CompareExchange(ref _continuation, continuation, null) is not null)
        {
            Continue(continuation);
        }
    }

    protected override void Finish()
    {
        Volatile.Write(ref _finished, true);
        if (Interlocked.CompareExchange(ref _continuation, Completed, null) is { } continuation)
        {
            Continue(continuation);
        }
    }

    private ValueTaskSourceStatus Status => !Volatile.Read(ref _finished) ? ValueTaskSourceStatus.Pending
        : Error is null ? ValueTaskSourceStatus.Succeeded
        : Error is OperationCanceledException ? ValueTaskSourceStatus.Canceled : ValueTaskSourceStatus.Faulted;

    private T Harvest()
    {
        if (Error is not null)
        {
            ExceptionDispatchInfo.Throw(Error);
        }
        return Volatile.Read(ref _finished) ? Result : throw new InvalidOperationException("a ValueTask must not be read before it is complete.");
    }

    private void Continue(Action<object?> continuation)
    {
        if (_context is { } context)
        {
            context.Post(static state => ((ValueTaskResultRequest<T>)state!).Invoke(((ValueTaskResultRequest<T>)state)._continuation!), this);
        }
        else
        {
            Invoke(continuation);
        }
    }

    private void Invoke(Action<object?> continuation)
    {
        if (_flow is { } flow && flow != ExecutionContext.Capture())
        {
            ExecutionContext.Run(flow, new ContextCallback(continuation), _state);
        }
        else
        {
            continuation(_state);
        }
    }
}

/// <summary>A call of a method that returns a value task with a result.</summary>
internal abstract class ValueTaskRequest<T> : ValueTaskResultRequest<T>
{
    public sealed override void Run(IRequestHost host, object target)
    {
        ValueTask<T> running;
        try
        {
            running = Invoke(target);
            if (running.IsCompletedSuccessfully)
            {
                Return(host, running.GetAwaiter().GetResult());
                return;
            }
        }
        catch (Exception error)
        {
            Return(host, error);
            return;
        }
        ReturnOutcome(host, running.AsTask());
    }

    protected abstract ValueTask<T> Invoke(object target);
}

/// <summary>A call of a method that returns a value task without a result.</summary>
internal abstract class ValueTaskRequest : ValueTaskResultRequest<Nothing>
{
    public sealed override void Run(IRequestHost host, object target)
    {
        ValueTask running;
        try
        {
            running = Invoke(target);
            if (running.IsCompletedSuccessfully)
            {
                running.GetAwaiter().GetResult();
                Return(host, default(Nothing));
                return;
            }
        }
        catch (Exception error)
        {
            Return(host, error);
            return;
        }
        ReturnOutcome(host, running.AsTask());
    }

    protected abstract ValueTask Invoke(object target);
}
