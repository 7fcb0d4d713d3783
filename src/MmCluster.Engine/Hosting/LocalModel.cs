using System.Collections.Immutable;
using System.Text.Json;
using MmCluster.Engine.Encoders;
using MmCluster.Models;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Models.Prompts;
using MmCluster.Tokenizers;
using MmCluster.Tokenizers.Config;

namespace MmCluster.Engine.Hosting;

/// <summary>
/// A model in this process, from folder to text: weights, tokenizer, encoders, executor and engine. What the command line and a one-process
/// server run. Safe to call from any thread.
/// </summary>
public sealed class LocalModel : IAsyncDisposable
{
    private readonly LoadedModel _model;
    private readonly LocalBackbone _backbone;
    private readonly Engine _engine;
    private readonly EngineHost _host;
    private readonly PromptBuilder? _prompts;
    private readonly MediaIntake[] _intakes;
    private readonly TimeProvider _time;

    private LocalModel(LoadedModel model, LocalBackbone backbone, Tokenizer? tokenizer, LocalModelOptions options)
    {
        (_model, _backbone) = (model, backbone);
        _time = options.Time;
        Tokenizer = tokenizer;
        _prompts = tokenizer is null ? null : new PromptBuilder(model.Card, tokenizer, model.SpecialTokens);
        _intakes = [.. model.Paths.Select(path => new MediaIntake(model, path, options.Encoders, options.Load.Device))];
        IReadOnlyList<int> eos = model.SpecialTokens.Eos.Count > 0 ? model.SpecialTokens.Eos : tokenizer?.EosId is { } end ? [end] : [];
        EngineOptions engine = options.Engine with
        {
            EosTokenIds = eos,
            Vocabulary = tokenizer is null ? null : new TokenizerVocabulary(tokenizer),
        };
        IModelExecutor executor = backbone.CreateExecutor(options.Load.Device, options.Executor with
        {
            MaxSlots = engine.MaxNumSeqs,
            MaxBatchedTokens = engine.MaxNumBatchedTokens,
            MaxModelLength = engine.MaxModelLength ?? options.Executor.MaxModelLength,
        });
        _engine = new Engine(executor, engine, options.Time);
        _host = new EngineHost(_engine);
        DefaultSampling = SamplingOf(model.Folder);
    }

    /// <summary>The model's topology.</summary>
    public ModelCard Card => _model.Card;

    /// <summary>Its folder.</summary>
    public string Folder => _model.Folder;

    /// <summary>Its tokenizer; null when the folder has none, and prompts are token ids then.</summary>
    public Tokenizer? Tokenizer { get; }

    /// <summary>Width of the logits.</summary>
    public int VocabularySize => _engine.Model.VocabularySize;

    /// <summary>Longest sequence, prompt and output together.</summary>
    public int MaxLength => _engine.MaxLength;

    /// <summary>Sampling where a caller leaves it open, from generation_config.json.</summary>
    public SamplingParameters DefaultSampling { get; }

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
        LoadedModel model = LoadedModel.Load(folder, options.Load with { Shard = LocalBackbone.FirstOf(options.PipelineShards) }, options.Card);
        LocalBackbone? backbone = null;
        try
        {
            backbone = LocalBackbone.Complete(model, options.Load, options.PipelineShards);
            return new LocalModel(model, backbone, TokenizerOf(model, options.Load), options);
        }
        catch
        {
            backbone?.Dispose();
            model.Dispose();
            throw;
        }
    }

    /// <summary>Runs one step over the network, so that the first request finds its memory and kernels ready.</summary>
    public async Task WarmUpAsync(CancellationToken cancellationToken = default)
    {
        ModelRequest request = new()
        {
            Input = new ModelInput.Tokens(new[] { _model.SpecialTokens.Bos is { } bos && bos < VocabularySize ? bos : 0 }),
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
        List<EncoderLease> leases = [];
        EngineRequest prepared;
        try
        {
            prepared = Prepare(request, leases);
        }
        catch
        {
            Release();
            throw;
        }
        return _host.GenerateAsync(prepared, Release, cancellationToken);

        void Release() => leases.ForEach(lease => lease.Dispose());
    }

    /// <summary>Runs one media item through its encoder and projector; <paramref name="read"/> gets the features [positions, width], valid until it returns.</summary>
    /// <exception cref="MmException">InvalidArgument: the model takes no such media.</exception>
    public async Task<T> EncodeAsync<T>(MediaItem item, Func<Tensors.Tensor, T> read, CancellationToken cancellationToken)
    {
        MediaIntake intake = _intakes.FirstOrDefault(intake => intake.Modality == item.Modality)
            ?? throw new MmException(MmErrorCode.InvalidArgument, $"{item.Name}: the model takes no {item.Modality}") { Param = item.Name };
        (_, EncoderLease lease) = intake.Open(item, "");
        using (lease)
        {
            return read(await lease.Features.WaitAsync(cancellationToken));
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
        _model.Dispose();
    }

    private EngineRequest Prepare(ModelRequest request, List<EncoderLease> leases)
    {
        IReadOnlyList<PromptPiece> prompt = request.Input switch
        {
            ModelInput.Tokens tokens => [new PromptPiece.Tokens(tokens.Ids)],
            ModelInput.Text text => [new PromptPiece.Tokens(Prompts.Completion(text.Prompt))],
            ModelInput.Chat chat => Converse(chat, $"{request.Tenant}\0{request.CacheSalt}", leases),
            _ => throw new System.Diagnostics.UnreachableException($"no prompt for a {request.Input.GetType().Name}"),
        };
        SamplingParameters sampling = request.Sampling;
        return new EngineRequest
        {
            Id = request.Id,
            Prompt = prompt,
            DecoderPrompt = _engine.Model.Kind == DecoderKind.EncoderDecoder ? new[] { _model.SpecialTokens.DecoderStart ?? 0 } : default,
            Sampling = request.Input is ModelInput.Chat
                ? sampling with { Stop = [.. sampling.Stop, .. Prompts.Stop.Except(sampling.Stop)] }
                : sampling,
            Tenant = request.Tenant,
            CacheSalt = request.CacheSalt,
            Priority = request.Priority,
            Deadline = request.Deadline,
        };
    }

    private PromptBuilder Prompts => _prompts ?? throw new MmException(
        MmErrorCode.InvalidArgument, $"{Folder}: no tokenizer (tokenizer.json or tokenizer.model): give token ids as the prompt")
    {
        Param = "prompt",
    };

    private List<PromptPiece> Converse(ModelInput.Chat chat, string salt, List<EncoderLease> leases)
    {
        List<MediaItem> items = [];
        ChatMessage[] messages = [.. chat.Turns.Select(turn => new ChatMessage(turn.Role, [.. turn.Parts.Select(part => PartOf(part, items))]) { Raw = turn.Raw })];
        IReadOnlyList<PromptSegment> segments;
        try
        {
            segments = Prompts.Chat(messages, new ChatTemplateInput
            {
                Messages = default,
                Tools = chat.Tools,
                AddGenerationPrompt = true,
                Variables = chat.TemplateArguments is { ValueKind: JsonValueKind.Object } more
                    ? more.EnumerateObject().ToImmutableDictionary(property => property.Name, property => property.Value)
                    : ImmutableDictionary<string, JsonElement>.Empty,
                Time = _time,
            });
        }
        catch (Exception error) when (error is ArgumentException or InvalidDataException or NotSupportedException)
        {
            throw new MmException(MmErrorCode.InvalidArgument, error.Message, error) { Param = "messages" };
        }
        return [.. segments.Select(segment => segment switch
        {
            PromptSegment.Tokens tokens => (PromptPiece)new PromptPiece.Tokens(tokens.Ids),
            PromptSegment.Media media => Open(media, items[media.Index], salt, leases),
            _ => throw new System.Diagnostics.UnreachableException(),
        })];
    }

    private static MmCluster.Models.Prompts.ChatPart PartOf(ChatPart part, List<MediaItem> items)
    {
        if (part is ChatPart.Text text)
        {
            return new MmCluster.Models.Prompts.ChatPart.Text(text.Value);
        }
        MediaItem item = ((ChatPart.Media)part).Item;
        items.Add(item);
        return new MmCluster.Models.Prompts.ChatPart.Media(item.Modality, items.Count - 1);
    }

    private PromptPiece.Media Open(PromptSegment.Media place, MediaItem item, string salt, List<EncoderLease> leases)
    {
        MediaIntake intake = _intakes.First(intake => intake.Modality == item.Modality);
        (UInt128 key, EncoderLease lease) = intake.Open(item, salt);
        leases.Add(lease);
        int id = place.PlaceholderToken < VocabularySize ? place.PlaceholderToken : 0;
        return new PromptPiece.Media(new MediaInput(key, intake.Positions, id, lease.Features));
    }

    private static Tokenizer? TokenizerOf(LoadedModel model, LoadOptions options)
    {
        if (options.Format == LoadFormat.Dummy)
        {
            return DummyTokens.For(model);
        }
        try
        {
            return PromptBuilder.TokenizerOf(model.Folder, model.Card);
        }
        catch (FileNotFoundException)
        {
            // A checkpoint without tokenizer runs on token ids.
            return null;
        }
    }

    private static SamplingParameters SamplingOf(string folder)
    {
        GenerationConfig config = GenerationConfig.FromFolder(folder);
        return new SamplingParameters
        {
            Temperature = config.DoSample == false ? 0 : (float)Math.Clamp(config.Temperature ?? 1, 0, 2),
            TopK = config.TopK ?? 0,
            TopP = config.TopP is { } p and > 0 ? (float)p : 1,
            MinP = (float)(config.MinP ?? 0),
            RepetitionPenalty = (float)(config.RepetitionPenalty ?? 1),
        };
    }
}
