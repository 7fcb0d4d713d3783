using MmCluster.Engine;
using MmCluster.Engine.Encoders;
using MmCluster.Engine.Hosting;

namespace MmCluster.Gateway.Models;

/// <summary>A model whose engine lives in this process. Does not own it.</summary>
public sealed class LocalServedModel(string id, LocalModel model, DateTimeOffset created) : IServedModel
{
    private volatile bool _ready;

    /// <inheritdoc/>
    public string Id => id;

    /// <inheritdoc/>
    public ServedModelInfo Info { get; } = new(created, model.MaxLength, model.VocabularySize) { Media = model.Modalities };

    /// <inheritdoc/>
    public bool Ready => _ready;

    /// <inheritdoc/>
    public SamplingParameters DefaultSampling => model.DefaultSampling;

    /// <inheritdoc/>
    public EngineStatistics Statistics => model.Statistics;

    /// <inheritdoc/>
    public EncoderStatistics? Encoders => model.Encoders.Count > 0 ? model.EncoderStatistics : null;

    /// <inheritdoc/>
    public string TokenText(int token) =>
        model.Tokenizer?.Decode([token], skipSpecialTokens: false) ?? TokenIdText.Of(token);

    /// <inheritdoc/>
    public IAsyncEnumerable<SequenceOutput> GenerateAsync(ModelRequest request, CancellationToken cancellationToken) =>
        model.GenerateAsync(request, cancellationToken);

    /// <inheritdoc/>
    public Task<EncodedMedia> EncodeAsync(MediaItem media, string revision, CancellationToken cancellationToken) => model.EncodeAsync(media, EncodedMedia.Of, cancellationToken);

    /// <summary>Runs a warm-up step, after which the model is ready.</summary>
    public async Task WarmUpAsync(CancellationToken cancellationToken)
    {
        await model.WarmUpAsync(cancellationToken);
        _ready = true;
    }
}
