using MmCluster.Engine;
using MmCluster.Engine.Encoders;
using MmCluster.Engine.Hosting;
using MmCluster.Models.Cards;

namespace MmCluster.Gateway.Models;

/// <summary>A model as the gateway sees it, whether its engine lives in this process or behind grains. Safe to call from any thread.</summary>
public interface IServedModel
{
    /// <summary>The name that requests use.</summary>
    string Id { get; }

    /// <summary>What /v1/models tells about it.</summary>
    ServedModelInfo Info { get; }

    /// <summary>The revision that takes requests; empty where there is only one.</summary>
    string Revision => "";

    /// <summary>The revisions that a request may name, the current one first; none where there is only one.</summary>
    IReadOnlyList<string> Revisions => [];

    /// <summary>Whether a warm-up step has run.</summary>
    bool Ready { get; }

    /// <summary>Sampling where a request leaves it open (the checkpoint's generation_config.json).</summary>
    SamplingParameters DefaultSampling { get; }

    /// <summary>Requests that wait in this process before they are passed on.</summary>
    int Waiting => 0;

    /// <summary>Counters of its engine, for /metrics; null when the engine is not in this process.</summary>
    EngineStatistics? Statistics => null;

    /// <summary>Counters of its encoders; null when it has none or they are not in this process.</summary>
    EncoderStatistics? Encoders => null;

    /// <summary>A token as text of its own, for logprobs; parts of a character become U+FFFD.</summary>
    string TokenText(int token);

    /// <summary>
    /// Runs one request. Entries of its choices come interleaved; each choice ends with one that has a finish reason. Stopping the enumeration
    /// early, or cancelling, frees the request's work.
    /// </summary>
    /// <exception cref="MmCluster.Models.MmException">Refused before the first entry; later failures are entries of finish Error.</exception>
    IAsyncEnumerable<SequenceOutput> GenerateAsync(ModelRequest request, CancellationToken cancellationToken);

    /// <summary>Runs one media item through encoder and projectors, without generating.</summary>
    /// <param name="media">The item.</param>
    /// <param name="revision">Which of <see cref="Revisions"/>; empty is the current one.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="MmCluster.Models.MmException">InvalidArgument: it takes no such media, or they are broken; NotFound: no such revision.</exception>
    Task<EncodedMedia> EncodeAsync(MediaItem media, string revision, CancellationToken cancellationToken) => throw new MmCluster.Models.MmException(
        MmCluster.Models.MmErrorCode.InvalidArgument, $"{Id} takes no {media.Modality}")
    {
        Param = media.Name,
    };
}

/// <summary>What /v1/models tells about a model.</summary>
/// <param name="Created">When it was loaded.</param>
/// <param name="MaxModelLength">Prompt and output tokens together.</param>
/// <param name="VocabularySize">Token ids are below this.</param>
public sealed record ServedModelInfo(DateTimeOffset Created, int MaxModelLength, int VocabularySize)
{
    /// <summary>Media that it takes besides text; none by default.</summary>
    public IReadOnlyList<Modality> Media { get; init; } = [];

    /// <summary>Media that it may answer with besides text; none by default.</summary>
    public IReadOnlyList<Modality> Outputs { get; init; } = [];
}
