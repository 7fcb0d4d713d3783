using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine.Generation;

namespace MmCluster.Cluster.Stages;

/// <summary>An item that a generator makes, and how far it is. Safe to call from any thread.</summary>
/// <param name="tellsSteps">Whether steps are told.</param>
internal sealed class GeneratorJob(bool tellsSteps) : IProgress<GenerationStep>, IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private TaskCompletionSource<GenerateReply> _step = NewStep();
    private bool _released;

    /// <summary>The item.</summary>
    public Task<GenerateReply> Done { get; set; } = null!;

    /// <summary>Whether nobody wants it any more.</summary>
    public CancellationToken Stopping => _stop.Token;

    /// <summary>The item, or before it a step that was not told yet.</summary>
    public async Task<GenerateReply> NextAsync()
    {
        if (!tellsSteps)
        {
            return await Done;
        }
        Task<GenerateReply> step;
        lock (_gate)
        {
            step = _step.Task;
        }
        Task<GenerateReply> first = await Task.WhenAny(Done, step);
        lock (_gate)
        {
            if (first == _step.Task)
            {
                _step = NewStep();
            }
        }
        return await first;
    }

    /// <summary>Of steps that nobody has asked for yet, the last one is told.</summary>
    public void Report(GenerationStep value)
    {
        lock (_gate)
        {
            if (_step.Task.IsCompleted)
            {
                _step = NewStep();
            }
            _step.SetResult(new GenerateReply(null, "") { Step = value.Done, Steps = value.Of });
        }
    }

    /// <summary>Takes a lease, unless the request was released: one taken behind that would last until it expires.</summary>
    public TensorRef Lease(Func<TensorRef> publish)
    {
        lock (_gate)
        {
            return _released ? throw new OperationCanceledException("the request has ended") : publish();
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _released = true;
        }
        _stop.Cancel();
    }

    private static TaskCompletionSource<GenerateReply> NewStep() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
