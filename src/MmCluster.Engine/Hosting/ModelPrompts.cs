using System.Collections.Immutable;
using System.Text.Json;
using MmCluster.Models;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Models.Checkpoints;
using MmCluster.Models.Prompts;
using MmCluster.Tokenizers;
using MmCluster.Tokenizers.Config;

namespace MmCluster.Engine.Hosting;

/// <summary>
/// What of a model is needed to turn requests into token ids: tokenizer, templates, defaults; no weights. A gateway has it without the model's networks.
/// Safe to call from any thread.
/// </summary>
public sealed class ModelPrompts
{
    private readonly string _folder;
    private readonly PromptBuilder? _builder;
    private readonly TimeProvider _time;

    /// <summary>The prompts of a model whose parts are known already.</summary>
    public ModelPrompts(string folder, ModelCard card, Tokenizer? tokenizer, SpecialTokenIds special, TimeProvider time)
    {
        _folder = folder;
        _time = time;
        Tokenizer = tokenizer;
        SpecialTokens = special;
        Eos = special.Eos.Count > 0 ? special.Eos : tokenizer?.EosId is { } end ? [end] : [];
        _builder = tokenizer is null ? null : new PromptBuilder(card, tokenizer, special);
        DefaultSampling = SamplingOf(folder);
    }

    /// <summary>The model's tokenizer; null when the folder has none, and prompts are token ids then.</summary>
    public Tokenizer? Tokenizer { get; }

    /// <summary>Ids that begin and end sequences.</summary>
    public SpecialTokenIds SpecialTokens { get; }

    /// <summary>Ids that end a sequence.</summary>
    public IReadOnlyList<int> Eos { get; }

    /// <summary>Sampling where a caller leaves it open, from generation_config.json.</summary>
    public SamplingParameters DefaultSampling { get; }

    /// <summary>Reads a folder's configuration and tokenizer.</summary>
    /// <exception cref="FileNotFoundException">No config.json.</exception>
    /// <exception cref="InvalidDataException">A damaged file.</exception>
    public static ModelPrompts Open(string folder, ModelCard? card, TimeProvider time)
    {
        card ??= LoadedModel.CardOf(folder);
        ModelConfig config = ModelConfig.Read(Path.Combine(folder, "config.json"));
        return new ModelPrompts(folder, card, TokenizerOf(folder, card), SpecialTokenIds.Read(folder, config), time);
    }

    /// <summary>A folder's tokenizer, or null where it has none: such a checkpoint runs on token ids.</summary>
    public static Tokenizer? TokenizerOf(string folder, ModelCard card)
    {
        try
        {
            return PromptBuilder.TokenizerOf(folder, card);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>A request's prompt in pieces.</summary>
    /// <param name="input">What to continue or answer.</param>
    /// <param name="media">Makes the piece of a media item at its place.</param>
    /// <exception cref="MmException">InvalidArgument, naming the parameter.</exception>
    public IReadOnlyList<PromptPiece> Pieces(ModelInput input, Func<PromptSegment.Media, MediaItem, PromptPiece.Media> media) => input switch
    {
        ModelInput.Tokens tokens => [new PromptPiece.Tokens(tokens.Ids)],
        ModelInput.Text text => [new PromptPiece.Tokens(Builder.Completion(text.Prompt))],
        ModelInput.Chat chat => Converse(chat, media),
        _ => throw new System.Diagnostics.UnreachableException($"no prompt for a {input.GetType().Name}"),
    };

    /// <summary>The request's sampling, with the texts that end an answer of this model.</summary>
    public SamplingParameters Sampling(ModelRequest request) => request.Input is ModelInput.Chat && Builder.Stop.Count > 0
        ? request.Sampling with { Stop = [.. request.Sampling.Stop, .. Builder.Stop.Except(request.Sampling.Stop)] }
        : request.Sampling;

    private PromptBuilder Builder => _builder ?? throw new MmException(
        MmErrorCode.InvalidArgument, $"{_folder}: no tokenizer (tokenizer.json or tokenizer.model): give token ids as the prompt")
    {
        Param = "prompt",
    };

    private List<PromptPiece> Converse(ModelInput.Chat chat, Func<PromptSegment.Media, MediaItem, PromptPiece.Media> open)
    {
        List<MediaItem> items = [];
        ChatMessage[] messages = [.. chat.Turns.Select(turn => new ChatMessage(turn.Role, [.. turn.Parts.Select(part => PartOf(part, items))]) { Raw = turn.Raw })];
        IReadOnlyList<PromptSegment> segments;
        try
        {
            segments = Builder.Chat(messages, new ChatTemplateInput
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
            PromptSegment.Media place => open(place, items[place.Index]),
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
