using MmCluster.Engine;
using MmCluster.Engine.Encoders;
using MmCluster.Engine.Hosting;

namespace MmCluster.Gateway.Models;

/// <summary>Passes everything on; what limits or measures overrides <see cref="GenerateAsync"/>. Does not own the model behind it.</summary>
internal abstract class DelegatingModel(IServedModel inner) : IServedModel
{
    public string Id => inner.Id;

    public string Revision => inner.Revision;

    public IReadOnlyList<string> Revisions => inner.Revisions;

    public ServedModelInfo Info => inner.Info;

    public bool Ready => inner.Ready;

    public SamplingParameters DefaultSampling => inner.DefaultSampling;

    public virtual int Waiting => inner.Waiting;

    public EngineStatistics? Statistics => inner.Statistics;

    public EncoderStatistics? Encoders => inner.Encoders;

    protected IServedModel Inner => inner;

    public string TokenText(int token) => inner.TokenText(token);

    public virtual Task<EncodedMedia> EncodeAsync(MediaItem media, string revision, CancellationToken cancellationToken) => inner.EncodeAsync(media, revision, cancellationToken);

    public abstract IAsyncEnumerable<SequenceOutput> GenerateAsync(ModelRequest request, CancellationToken cancellationToken);
}
