using MmCluster.Cluster;
using MmCluster.Cluster.TensorLink;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Models;

namespace MmCluster.Gateway.Clustering;

/// <summary>A model whose stages are grains somewhere in the cluster. One object a name, whatever revision runs behind it.</summary>
public sealed class ClusterServedModel(string name, IModelCluster cluster) : IServedModel
{
    private static readonly SamplingParameters Defaults = new();

    /// <inheritdoc/>
    public string Id => name;

    /// <inheritdoc/>
    public string Revision => Snapshot?.Revision ?? "";

    /// <inheritdoc/>
    public IReadOnlyList<string> Revisions => Snapshot?.Revisions ?? [];

    /// <inheritdoc/>
    public ServedModelInfo Info => Snapshot is { } model
        ? new ServedModelInfo(model.Created, model.MaxModelLength, model.VocabularySize) { Media = model.Media, Outputs = model.Outputs }
        : new ServedModelInfo(DateTimeOffset.UnixEpoch, 0, 0);

    /// <inheritdoc/>
    public bool Ready => Snapshot is { Ready: true };

    /// <inheritdoc/>
    public SamplingParameters DefaultSampling => Snapshot?.DefaultSampling ?? Defaults;

    /// <inheritdoc/>
    public string TokenText(int token) => Snapshot?.TokenText(token) ?? TokenIdText.Of(token);

    /// <inheritdoc/>
    public IAsyncEnumerable<SequenceOutput> GenerateAsync(ModelRequest request, CancellationToken cancellationToken) =>
        cluster.GenerateAsync(name, request, cancellationToken);

    /// <inheritdoc/>
    public async Task<EncodedMedia> EncodeAsync(MediaItem media, string revision, CancellationToken cancellationToken)
    {
        using PulledTensor features = await cluster.EncodeAsync(name, revision, media, cancellationToken);
        return EncodedMedia.Of(features.Tensor);
    }

    private ClusterModel? Snapshot
    {
        get
        {
            foreach (ClusterModel model in cluster.Models)
            {
                if (model.Name == name)
                {
                    return model;
                }
            }
            return null;
        }
    }
}
