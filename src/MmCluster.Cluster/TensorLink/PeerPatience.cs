namespace MmCluster.Cluster.TensorLink;

/// <summary>
/// How long each step of an exchange with a peer may take. A machine that vanishes closes nothing: without an end to it, whoever pulls would wait for ever.
/// </summary>
internal sealed class PeerPatience(LinkAddress peer, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken = default) : IDisposable
{
    private readonly CancellationTokenSource _late = new(Timeout.InfiniteTimeSpan, time);

    /// <summary>Runs a step.</summary>
    /// <exception cref="IOException">It took too long.</exception>
    public async Task<T> GuardAsync<T>(Func<CancellationToken, Task<T>> step)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_late.Token, cancellationToken);
        _late.CancelAfter(timeout);
        try
        {
            return await step(either.Token);
        }
        catch (OperationCanceledException) when (_late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"{peer.Host}:{peer.Port} did not answer within {timeout.TotalSeconds} s");
        }
        finally
        {
            _late.CancelAfter(Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose() => _late.Dispose();
}
