using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Orleans.Runtime.Messaging;

namespace Orleans.Runtime;

/// <summary>The objects of this process that grains call back, held weakly; calls of one object run one at a time, in order.</summary>
internal sealed partial class ObserverTable(ReferenceRuntime runtime)
{
    private readonly ConcurrentDictionary<GrainId, Observer> _observers = new();

    public GrainReference Add(IGrainObserver target, Type interfaceType)
    {
        if (target is GrainReference or IGrainBase)
        {
            throw new ArgumentException($"{target.GetType()} is a grain or already a reference.", nameof(target));
        }
        GrainId id = SystemTargets.ObserverId(runtime.ClientId, Guid.NewGuid());
        GrainReference reference = runtime.References.Create(id, interfaceType);
        _observers[id] = new Observer(this, id, target);
        return reference;
    }

    public void Remove(IGrainObserver reference)
    {
        if (reference is not GrainReference { GrainId: var id } || !_observers.TryRemove(id, out _))
        {
            throw new ArgumentException("Reference is not associated with a local object.", nameof(reference));
        }
    }

    public void Receive(Request request)
    {
        if (_observers.TryGetValue(request.Target, out Observer? observer))
        {
            observer.Enqueue(request);
        }
        else
        {
            LogGone(runtime.Logger, request.Target, request.Method); // as with the original, the caller's timeout tells it
        }
    }

    private sealed class Observer(ObserverTable table, GrainId id, IGrainObserver target) : IThreadPoolWorkItem, IRequestHost
    {
        private readonly WeakReference<IGrainObserver> _target = new(target);
        private readonly Queue<Request> _waiting = [];
        private bool _busy;

        public void Enqueue(Request request)
        {
            lock (_waiting)
            {
                _waiting.Enqueue(request);
                if (_busy)
                {
                    return;
                }
                _busy = true;
            }
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }

        public void OnEnded(Request request, Exception? error)
        {
            if (error is not null)
            {
                LogFailed(table.Runtime.Logger, error, request.Method);
            }
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
        }

        void IThreadPoolWorkItem.Execute()
        {
            Request? next;
            lock (_waiting)
            {
                if (!_waiting.TryDequeue(out next))
                {
                    _busy = false;
                    return;
                }
            }
            Start(next);
        }

        // Not inlined, so that no stack slot of Execute keeps the object alive.
        [MethodImpl(MethodImplOptions.NoInlining)]
        private void Start(Request request)
        {
            if (!_target.TryGetTarget(out IGrainObserver? observer))
            {
                table._observers.TryRemove(id, out _);
                LogGone(table.Runtime.Logger, id, request.Method);
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
                return;
            }
            RequestContext.Import(request.Context);
            request.Run(this, observer);
        }
    }

    private ReferenceRuntime Runtime => runtime;

    [LoggerMessage(EventId = 1001, Level = LogLevel.Warning, Message = "{Method} was called on {Observer}, which does not exist any more.")]
    private static partial void LogGone(ILogger logger, GrainId observer, MethodDescriptor method);

    [LoggerMessage(EventId = 1002, Level = LogLevel.Warning, Message = "Observer method {Method} failed.")]
    private static partial void LogFailed(ILogger logger, Exception error, MethodDescriptor method);
}
