using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Orleans.Runtime.Messaging;

namespace Orleans.Runtime.Silo;

/// <summary>The runtime's own objects that other silos call; they run on pool threads, as many calls at once as come.</summary>
internal sealed partial class SystemServices(ILogger logger) : IRequestHost
{
    private readonly ConcurrentDictionary<GrainId, object> _services = new();

    public void Add<T>(T service)
        where T : class, IAddressable =>
        _services[SystemTargets.IdOf(Interfaces.Of(typeof(T)).Name)] = service;

    public void Receive(Request request)
    {
        if (_services.TryGetValue(request.Target, out object? service))
        {
            ThreadPool.UnsafeQueueUserWorkItem(static state => state.request.Run(state.host, state.service), (host: this, request, service), preferLocal: true);
        }
        else
        {
            request.Reject(new OrleansMessageRejectionException($"There is no service {request.Target} here."));
        }
    }

    public void OnEnded(Request request, Exception? error)
    {
        if (error is not null)
        {
            LogFailed(logger, error, request.Method);
        }
    }

    [LoggerMessage(EventId = 1701, Level = LogLevel.Debug, Message = "{Method} failed.")]
    private static partial void LogFailed(ILogger logger, Exception error, MethodDescriptor method);
}
