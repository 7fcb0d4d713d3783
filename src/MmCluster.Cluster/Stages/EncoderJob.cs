using System.Diagnostics;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Stages;

/// <summary>One media item of one request in an encoder: its claims on features and, once they are leased, the reference to them.</summary>
internal sealed class EncoderJob(EncodeMessage message, StageQueue queue, int cost) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<IDisposable> _claims = [];
    private bool _disposed;
    private bool _inQueue = true;

    public EncodeMessage Message => message;

    /// <summary>Completes with the leased features.</summary>
    public Task<TensorRef> Done { get; private set; } = null!;

    public void Start(Func<EncoderJob, Task<Tensor>> features, TensorLinkEndpoint link) => Done = RunAsync(features, link);

    /// <summary>Keeps a claim until the job ends.</summary>
    public T Keep<T>(T claim)
        where T : IDisposable
    {
        lock (_gate)
        {
            if (!_disposed)
            {
                _claims.Add(claim);
                return claim;
            }
        }
        claim.Dispose();
        throw new OperationCanceledException("the request has ended");
    }

    /// <summary>Lets go of everything: work that nobody else wants stops.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
        }
        LetGo();
    }

    private async Task<TensorRef> RunAsync(Func<EncoderJob, Task<Tensor>> features, TensorLinkEndpoint link)
    {
        using Activity? span = StageTelemetry.Start("encode", message.Trace, message.Request);
        try
        {
            Tensor made = await features(this);
            lock (_gate)
            {
                // A lease taken after the release would last until it expires.
                ObjectDisposedException.ThrowIf(_disposed, this);
                return link.Publish(message.Request, made, message.Key);
            }
        }
        finally
        {
            LetGo();
        }
    }

    private void LetGo()
    {
        IDisposable[] claims;
        lock (_gate)
        {
            claims = [.. _claims];
            _claims.Clear();
            if (_inQueue)
            {
                _inQueue = false;
                queue.Leave(cost);
            }
        }
        foreach (IDisposable claim in claims)
        {
            claim.Dispose();
        }
    }
}
