using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Sources;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Engine.Simulation;
using MmCluster.Media;
using MmCluster.Models;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Routing;

/// <summary>Turns requests of one revision into what stages take: token ids, and media by key. Needs the model's tokenizer here, not its weights.</summary>
internal sealed class ModelFront
{
    // Features are made elsewhere; only key and length are needed here.
    private static readonly Task<Tensor> Elsewhere = new TaskCompletionSource<Tensor>().Task;

    private readonly ModelPrompts? _prompts;
    private readonly ModelDeployment _deployment;

    private ModelFront(ModelDeployment deployment, ModelPrompts? prompts, IReadOnlyList<SignalOf> signals) =>
        (_deployment, _prompts, Signals) = (deployment, prompts, [.. signals]);

    /// <summary>The ids by which the language model asks for media.</summary>
    public SignalOf[] Signals { get; }

    /// <summary>Sampling where a request leaves it open.</summary>
    public SamplingParameters DefaultSampling => _prompts?.DefaultSampling ?? new SamplingParameters();

    /// <exception cref="MmException">NotFound: the model's files are not on this machine.</exception>
    public static ModelFront Open(ModelDeployment deployment, ModelSource source, TimeProvider time)
    {
        if (deployment.Simulation is not null)
        {
            return new ModelFront(deployment, null, []);
        }
        LocatedModel located = source.Locate(deployment);
        ModelPrompts prompts = ModelPrompts.Open(located.Folder, located.Card, time);
        return new ModelFront(deployment, prompts, [.. located.Card!.Components.Where(component => component.SignalTokens.Count > 0)
            .Select(component => new SignalOf(component.Name, [.. component.SignalTokens.Select(token => IdOf(prompts, token, located.Card.File))], component.Modality!.Value))]);
    }

    private static int IdOf(ModelPrompts prompts, string token, string card) => prompts.Tokenizer?.IdOf(token)
        ?? throw new MmException(MmErrorCode.InvalidArgument, $"{card}: signal token '{token}' is not in the model's vocabulary");

    /// <summary>A token as text, or null without a tokenizer.</summary>
    public string? TokenText(int token) => _prompts?.Tokenizer?.Decode([token], skipSpecialTokens: false);

    /// <summary>What is sent to a backbone, but for its session and handle, and the media that go to encoders.</summary>
    /// <exception cref="MmException">InvalidArgument, naming the parameter; Unavailable: no encoder for its media is ready.</exception>
    public PreparedRequest Prepare(ModelRequest request, ModelRoutes routes)
    {
        if (_prompts is null)
        {
            return new PreparedRequest([new PromptPart { Tokens = BytePrompt.Of(request.Input).ToArray() }], null, request.Sampling, []);
        }
        List<PreparedMedia> media = [];
        string salt = $"{(_deployment.Limits.SharePrefixesAcrossTenants ? "" : request.Tenant)}\0{request.CacheSalt}";
        IReadOnlyList<PromptPiece> pieces = _prompts.Pieces(request.Input, (place, item) =>
        {
            PreparedMedia prepared = Prepare(item, routes, salt);
            media.Add(prepared);
            int id = place.PlaceholderToken < routes.Facts!.VocabularySize ? place.PlaceholderToken : 0;
            return new PromptPiece.Media(new MediaInput(prepared.Key, prepared.Positions, id, Elsewhere));
        });
        int[]? decoder = routes.Facts!.Kind == DecoderKind.EncoderDecoder ? [_prompts.SpecialTokens.DecoderStart ?? 0] : null;
        return new PreparedRequest([.. pieces.Select(Part)], decoder, _prompts.Sampling(request), media);
    }

    /// <summary>A media item by itself.</summary>
    /// <exception cref="MmException">InvalidArgument: the model takes no such media; Unavailable: no encoder is ready.</exception>
    public PreparedMedia Prepare(MediaItem item, ModelRoutes routes) => Prepare(item, routes, "");

    private PreparedMedia Prepare(MediaItem item, ModelRoutes routes, string salt)
    {
        EncoderRoute route = routes.Encoders.FirstOrDefault(encoder => encoder.Modality == item.Modality)
            ?? throw (_prompts is null
                ? new MmException(MmErrorCode.InvalidArgument, $"{_deployment.Name} takes text only")
                : new MmException(MmErrorCode.Unavailable, $"no encoder of '{_deployment.Name}' is ready") { RetryAfter = TimeSpan.FromSeconds(1) });
        route.Shape.Check(item);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(route.Digest));
        hash.AppendData(ContentHash.Compute(item.Bytes.Span));
        hash.AppendData(Encoding.UTF8.GetBytes($"{salt}\0{string.Join(',', item.Shape ?? [])}"));
        return new PreparedMedia(item, route.Component, BinaryPrimitives.ReadUInt128LittleEndian(hash.GetHashAndReset()), route.Positions);
    }

    private static PromptPart Part(PromptPiece piece) => piece switch
    {
        PromptPiece.Tokens tokens => new PromptPart { Tokens = tokens.Ids.ToArray() },
        PromptPiece.Media media => new PromptPart { MediaKey = media.Input.Key, MediaLength = media.Input.Length, Placeholder = media.Input.PlaceholderToken },
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}

/// <summary>A request in the stages' terms.</summary>
/// <param name="Prompt">Token ids and places of media.</param>
/// <param name="DecoderPrompt">First ids of an encoder-decoder's decoder, or null.</param>
/// <param name="Sampling">With the model's own stop texts.</param>
/// <param name="Media">The media, in order of their places.</param>
internal sealed record PreparedRequest(PromptPart[] Prompt, int[]? DecoderPrompt, SamplingParameters Sampling, IReadOnlyList<PreparedMedia> Media);

/// <summary>A media item and what it will be in the prompt.</summary>
/// <param name="Item">The item.</param>
/// <param name="Component">The encoder that takes it.</param>
/// <param name="Key">Salt, content, encoder and preprocessing: equal keys mean equal features.</param>
/// <param name="Positions">Positions it takes.</param>
internal sealed record PreparedMedia(MediaItem Item, string Component, UInt128 Key, int Positions)
{
    /// <summary>Leases it to whoever needs it next: the bytes of a file, pixels, or features.</summary>
    /// <exception cref="MmException">Unavailable: no room.</exception>
    public TensorRef Publish(TensorLinkEndpoint link, string lease) => Item.Shape is { } shape
        ? link.Publish(lease, [.. shape], DType.F32, Key, target => Item.Values.CopyTo(target.AsSpan<float>()))
        : link.Publish(lease, [Item.Bytes.Length], DType.U8, Key, target => Item.Bytes.Span.CopyTo(target.AsSpan<byte>()));
}
