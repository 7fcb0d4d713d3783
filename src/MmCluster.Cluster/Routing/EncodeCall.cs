using MmCluster.Cluster.TensorLink;

namespace MmCluster.Cluster.Routing;

/// <summary>A media item that is encoded for its own sake: its features come here.</summary>
internal sealed class EncodeCall(RoutedModel model, string revision, PreparedMedia media, CallContext context) : ILeaseHolder
{
    private MediaCall? _call;

    /// <inheritdoc/>
    public string Lease { get; } = $"{context.Gateway}/encode-{context.NextHandle()}";

    /// <inheritdoc/>
    public IEnumerable<string> Encoders => _call?.Encoder is { } encoder ? [encoder] : [];

    /// <inheritdoc/>
    public IEnumerable<string> Generators => [];

    /// <exception cref="Models.MmException">What is wrong with the item; Unavailable: no encoder takes it.</exception>
    public async Task<PulledTensor> RunAsync(CancellationToken cancellationToken)
    {
        context.Enter(this);
        try
        {
            _call = new MediaCall(model, revision, media, 0, Lease, media.Publish(context.Link, Lease));
            await _call.AdmitAsync(cancellationToken);
            return await context.Link.PullAsync(await _call.Features.WaitAsync(cancellationToken), cancellationToken);
        }
        catch (Exception error) when (Failures.TellsOfLoss(error))
        {
            throw Failures.From(error);
        }
        finally
        {
            context.Leave(this);
            _call?.Release();
            context.Link.Release(Lease);
            _ = context.ReleaseAtAsync(Encoders, Generators, Lease);
        }
    }
}
