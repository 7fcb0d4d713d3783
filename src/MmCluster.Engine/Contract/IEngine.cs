namespace MmCluster.Engine;

/// <summary>
/// One backbone replica, whatever its device: takes requests, batches them step by step, returns one batch of outputs a step.
/// All members are safe to call from any thread.
/// </summary>
public interface IEngine : IAsyncDisposable
{
    /// <summary>Queues <paramref name="request"/>; its outputs come from <see cref="ReadSteps"/>.</summary>
    /// <exception cref="Models.MmException">
    /// InvalidArgument (too long for the model, a bad parameter), AlreadyExists (the id is in flight), ResourceExhausted (queue full),
    /// Unavailable (shutting down).
    /// </exception>
    void Submit(EngineRequest request);

    /// <summary>Stops a request and frees what it holds; an unknown or finished id is ignored. Its last output says Cancelled.</summary>
    void Cancel(string requestId);

    /// <summary>
    /// The outputs of each step, in order. One reader at a time; a batch and its arrays are the reader's until it asks for the next.
    /// Outputs wait (bounded) while nobody reads.
    /// </summary>
    IAsyncEnumerable<StepOutputs> ReadSteps(CancellationToken cancellationToken);
}
