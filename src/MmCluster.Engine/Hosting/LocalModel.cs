using MmCluster.Engine.Encoders;
using MmCluster.Models;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Models.Prompts;
using MmCluster.Tensors;
using MmCluster.Tokenizers;

namespace MmCluster.Engine.Hosting;

/// <summary>
/// A model in this process, from folder to text: weights, tokenizer, encoders, executor and engine. What the command line and a one-process
/// server run. Safe to call from any thread.
/// </summary>
public sealed class LocalModel : IAsyncDisposable
{
    private readonly LocalBackbone _backbone;
    private readonly Engine _engine;
    private readonly EngineHost _host;
    private readonly ModelPrompts _prompts;
    private readonly MediaIntake[] _intakes;

    private LocalModel(LocalBackbone backbone, Tokenizer? tokenizer, LocalModelOptions options)
    {
        _backbone = backbone;
        LoadedModel model = backbone.Model;
        _prompts = new ModelPrompts(model.Folder, model.Card, tokenizer, model.SpecialTokens, options.Time);
        EngineOptions engine = options.Engine with
        {
            EosTokenIds = _prompts.Eos,
            Vocabulary = tokenizer is null ? null : new TokenizerVocabulary(tokenizer),
        };
        IModelExecutor executor = backbone.CreateExecutor(options.Executor with
        {
            MaxSlots = engine.MaxNumSeqs,
            MaxBatchedTokens = engine.MaxNumBatchedTokens,
            MaxModelLength = engine.MaxModelLength ?? options.Executor.MaxModelLength,
        });
        try
        {
            _intakes = [.. model.Paths.Select(path => new MediaIntake(model, path, options.Encoders with { Deterministic = options.Executor.Deterministic }, options.Load.Device))];
        }
        catch
        {
            executor.Dispose();
            throw;
        }
        _engine = new Engine(executor, engine, options.Time);
        _host = new EngineHost(_engine);
        DeviceLost = backbone.Lost;
    }

    /// <summary>Completes with the reason when a GPU of its is of no more use to this process, which has to be restarted then.</summary>
    public Task<Exception> DeviceLost { get; }

    /// <summary>The model's topology.</summary>
    public ModelCard Card => _backbone.Model.Card;

    /// <summary>Its folder.</summary>
    public string Folder => _backbone.Model.Folder;

    /// <summary>Its tokenizer; null when the folder has none, and prompts are token ids then.</summary>
    public Tokenizer? Tokenizer => _prompts.Tokenizer;

    /// <summary>Width of the logits.</summary>
    public int VocabularySize => _engine.Model.VocabularySize;

    /// <summary>Longest sequence, prompt and output together.</summary>
    public int MaxLength => _engine.MaxLength;

    /// <summary>Sampling where a caller leaves it open, from generation_config.json.</summary>
    public SamplingParameters DefaultSampling => _prompts.DefaultSampling;

    /// <summary>Counters of the engine.</summary>
    public EngineStatistics Statistics => _engine.Statistics;

    /// <summary>The encoders, in the card's order.</summary>
    public IReadOnlyList<EncoderBatcher> Encoders => [.. _intakes.Select(intake => intake.Batcher)];

    /// <summary>Counters of all encoders together.</summary>
    public EncoderStatistics EncoderStatistics => new(
        _intakes.Sum(intake => intake.Batcher.Queries), _intakes.Sum(intake => intake.Batcher.Hits), _intakes.Sum(intake => intake.Batcher.IdleBytes));

    /// <summary>What media the model takes.</summary>
    public IReadOnlyList<Modality> Modalities => [.. _intakes.Select(intake => intake.Modality)];

    /// <summary>Loads a model from a folder in the published form.</summary>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A damaged file.</exception>
    /// <exception cref="NotSupportedException">An architecture, format or medium that is not known.</exception>
    public static LocalModel Load(string folder, LocalModelOptions options)
    {
        LocalBackbone backbone = LocalBackbone.Load(folder, options.Load, new BackboneSplit(options.PipelineShards, options.TensorRanks), options.Card);
        try
        {
            return new LocalModel(backbone, TokenizerOf(backbone.Model, options.Load), options);
        }
        catch
        {
            backbone.Dispose();
            throw;
        }
    }

    /// <summary>Runs one step over the network, so that the first request finds its memory and kernels ready.</summary>
    public async Task WarmUpAsync(CancellationToken cancellationToken = default)
    {
        ModelRequest request = new()
        {
            Input = new ModelInput.Tokens(new[] { _backbone.Model.SpecialTokens.Bos is { } bos && bos < VocabularySize ? bos : 0 }),
            Sampling = new SamplingParameters { MaxTokens = 1, Temperature = 0 },
        };
        await foreach (SequenceOutput output in GenerateAsync(request, cancellationToken))
        {
            if (output.Error is { } error)
            {
                throw error;
            }
        }
    }

    /// <summary>
    /// Runs one request. Entries of its choices come interleaved; each choice ends with one that has a finish reason. Stopping the enumeration
    /// early, or cancelling, frees the request's work.
    /// </summary>
    /// <exception cref="MmException">Refused before the first entry; later failures are entries of finish Error.</exception>
    public IAsyncEnumerable<SequenceOutput> GenerateAsync(ModelRequest request, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        List<IDisposable> claims = [];
        EngineRequest prepared;
        try
        {
            prepared = Prepare(request, claims);
        }
        catch
        {
            Release();
            throw;
        }
        IAsyncEnumerable<SequenceOutput> outputs = _host.GenerateAsync(prepared, Release, cancellationToken);
        return request.ReportProgress
            ? RequestProgress.TellAsync(request.Id, [.. prepared.Prompt.OfType<PromptPiece.Media>().Select(piece => piece.Input.Features)], outputs, cancellationToken)
            : outputs;

        void Release() => claims.ForEach(claim => claim.Dispose());
    }

    /// <summary>Runs one media item through its encoder and projector; <paramref name="read"/> gets the features [positions, width], valid until it returns.</summary>
    /// <exception cref="MmException">InvalidArgument: the model takes no such media.</exception>
    public async Task<T> EncodeAsync<T>(MediaItem item, Func<Tensor, T> read, CancellationToken cancellationToken)
    {
        MediaIntake intake = _intakes.FirstOrDefault(intake => intake.Modality == item.Modality)
            ?? throw new MmException(MmErrorCode.InvalidArgument, $"{item.Name}: the model takes no {item.Modality}") { Param = item.Name };
        (_, Task<Tensor> features, IDisposable claim) = intake.Open(item, "");
        using (claim)
        {
            return read(await features.WaitAsync(cancellationToken));
        }
    }

    /// <summary>Ends all requests with Unavailable and frees weights, caches and threads.</summary>
    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        foreach (MediaIntake intake in _intakes)
        {
            await intake.DisposeAsync();
        }
        _backbone.Dispose();
    }

    private EngineRequest Prepare(ModelRequest request, List<IDisposable> claims)
    {
        string salt = $"{request.Tenant}\0{request.CacheSalt}";
        return new EngineRequest
        {
            Id = request.Id,
            Prompt = _prompts.Pieces(request.Input, (place, item) => Open(place, item, salt, claims)),
            DecoderPrompt = _engine.Model.Kind == DecoderKind.EncoderDecoder ? new[] { _backbone.Model.SpecialTokens.DecoderStart ?? 0 } : default,
            Sampling = _prompts.Sampling(request),
            Tenant = request.Tenant,
            CacheSalt = request.CacheSalt,
            Priority = request.Priority,
            Deadline = request.Deadline,
        };
    }

    private PromptPiece.Media Open(PromptSegment.Media place, MediaItem item, string salt, List<IDisposable> claims)
    {
        MediaIntake intake = _intakes.First(intake => intake.Modality == item.Modality);
        (UInt128 key, Task<Tensor> features, IDisposable claim) = intake.Open(item, salt);
        claims.Add(claim);
        int id = place.PlaceholderToken < VocabularySize ? place.PlaceholderToken : 0;
        return new PromptPiece.Media(new MediaInput(key, intake.Positions, id, features));
    }

    private static Tokenizer? TokenizerOf(LoadedModel model, LoadOptions options) =>
        options.Format == LoadFormat.Dummy ? DummyTokens.For(model) : ModelPrompts.TokenizerOf(model.Folder, model.Card);
}
