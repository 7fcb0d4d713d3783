using System.Text.Json;
using System.Text.Json.Nodes;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tokenizers;

namespace MmCluster.Models.Prompts;

/// <summary>
/// Turns conversations into prompts: through the tokenizer's chat template where there is one (and the card does not prefer its own), else by the
/// card. Text of users never becomes special tokens; the places of media come from the template or the card. Thread-safe.
/// </summary>
public sealed class PromptBuilder
{
    private readonly ModelCard _card;
    private readonly Tokenizer _tokenizer;
    private readonly ChatTemplate? _template;
    private readonly string? _placeholder;
    private readonly int _placeholderId;
    private readonly bool _splits;

    /// <summary>A builder for a model.</summary>
    /// <param name="card">Its card.</param>
    /// <param name="tokenizer">Its tokenizer; media placeholders should be among its special tokens.</param>
    /// <param name="special">Ids of its folder.</param>
    /// <exception cref="InvalidDataException">The chat template does not parse.</exception>
    /// <exception cref="NotSupportedException">The chat template uses something unknown.</exception>
    public PromptBuilder(ModelCard card, Tokenizer tokenizer, SpecialTokenIds special)
    {
        _card = card;
        _tokenizer = tokenizer;
        _placeholder = PlaceholderOf(card, tokenizer, special);
        int? known = special.Media ?? (_placeholder is null ? null : tokenizer.IdOf(_placeholder));
        _placeholderId = known ?? 0;
        _splits = card.Prompt.SplitAtMedia || _placeholder is null || tokenizer.IdOf(_placeholder) is null;
        if (card.Prompt.PreferChatTemplate && tokenizer.Config.ChatTemplates.TryGetValue("default", out string? source))
        {
            _template = ChatTemplate.Parse(source, $"{card.Name}: chat_template", tokenizer.Config.NamedTokens);
        }
    }

    /// <summary>Whether the tokenizer's chat template is used.</summary>
    public bool UsesChatTemplate => _template is not null;

    /// <summary>Texts that end an answer, besides the end-of-sequence ids.</summary>
    public IReadOnlyList<string> Stop => _card.Prompt.Stop;

    /// <summary>Reads a folder's tokenizer, with the card's placeholders as special tokens.</summary>
    /// <exception cref="FileNotFoundException">The folder has no tokenizer.</exception>
    public static Tokenizer TokenizerOf(string folder, ModelCard card) =>
        Tokenizer.FromFolder(folder, card.Components.Select(component => component.Placeholder).OfType<string>());

    /// <summary>A plain text as a prompt: no template, no special tokens but those that begin a text.</summary>
    public int[] Completion(string text) => _tokenizer.Encode(text);

    /// <summary>A conversation as a prompt that ends where the assistant's answer begins.</summary>
    /// <param name="messages">Turns; media counted from 0 in order.</param>
    /// <param name="options">Variables and tools for a chat template, or null.</param>
    /// <exception cref="ArgumentException">The template refuses the conversation, a role is unknown, or media are not in order or not taken.</exception>
    public IReadOnlyList<PromptSegment> Chat(IReadOnlyList<ChatMessage> messages, ChatTemplateInput? options = null)
    {
        ChatPart.Media[] media = [.. messages.SelectMany(message => message.Parts).OfType<ChatPart.Media>()];
        for (int i = 0; i < media.Length; i++)
        {
            if (media[i].Index != i)
            {
                throw new ArgumentException($"messages: media item {i} is numbered {media[i].Index}");
            }
            if (!Takes(media[i].Modality))
            {
                throw new ArgumentException($"{_card.Name} takes no {media[i].Modality.ToString().ToLowerInvariant()}");
            }
        }
        return _template is null ? FromCard(messages, media) : FromTemplate(_template, messages, media, options);
    }

    private bool Takes(Modality modality) => _card.Components.Any(component => component.Kind == ComponentKind.Encoder && component.Modality == modality);

    private static string? PlaceholderOf(ModelCard card, Tokenizer tokenizer, SpecialTokenIds special) =>
        (special.Media is { } id ? tokenizer.TokenOf(id) : null)
        ?? card.Components.Select(component => component.Placeholder).FirstOrDefault(placeholder => placeholder is not null);

    // As transformers' processors do it: BOS comes from the tokenizer unless the template wrote it; text models write all themselves.
    private List<PromptSegment> FromTemplate(ChatTemplate template, IReadOnlyList<ChatMessage> messages, ChatPart.Media[] media, ChatTemplateInput? options)
    {
        bool takesMedia = _card.Components.Any(component => component.Kind == ComponentKind.Encoder);
        JsonArray turns = [.. messages.Select(message => Turn(message, takesMedia))];
        JsonElement rendered = JsonSerializer.SerializeToElement(turns);
        RenderedPrompt prompt = template.Render(options is null
            ? new ChatTemplateInput { Messages = rendered, AddGenerationPrompt = true }
            : options with { Messages = rendered });
        bool hasBos = _tokenizer.Config.BosToken is { Length: > 0 } bos && prompt.Text.StartsWith(bos, StringComparison.Ordinal);
        return Place(_tokenizer.EncodeSegments(prompt.Segments, addSpecialTokens: takesMedia && !hasBos), media);
    }

    private static JsonObject Turn(ChatMessage message, bool takesMedia)
    {
        JsonObject turn = message.Raw is { ValueKind: JsonValueKind.Object } raw
            ? JsonNode.Parse(raw.GetRawText())!.AsObject()
            : [];
        turn["role"] = message.Role;
        turn["content"] = Content(message, takesMedia);
        return turn;
    }

    private static JsonNode Content(ChatMessage message, bool takesMedia)
    {
        if (!takesMedia)
        {
            return string.Concat(message.Parts.OfType<ChatPart.Text>().Select(part => part.Value));
        }
        return new JsonArray([.. message.Parts.Select(part => part switch
        {
            ChatPart.Text text => new JsonObject { ["type"] = "text", ["text"] = text.Value },
            ChatPart.Media item => new JsonObject { ["type"] = item.Modality.ToString().ToLowerInvariant() },
            _ => throw new System.Diagnostics.UnreachableException(),
        })]);
    }

    // Splits ids at the placeholders.
    private List<PromptSegment> Place(int[] ids, ChatPart.Media[] media)
    {
        List<PromptSegment> segments = [];
        int start = 0;
        int next = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            if (_placeholder is null || ids[i] != _placeholderId)
            {
                continue;
            }
            if (next == media.Length)
            {
                throw new ArgumentException($"{_card.Name}: the prompt has more places for media than the {media.Length} items given");
            }
            Add(segments, ids[start..i]);
            segments.Add(new PromptSegment.Media(media[next].Modality, media[next].Index, _placeholderId));
            next++;
            start = i + 1;
        }
        Add(segments, ids[start..]);
        return next == media.Length ? segments : throw new ArgumentException($"{_card.Name}: the prompt has {next} places for {media.Length} media items");
    }

    private static void Add(List<PromptSegment> segments, int[] ids)
    {
        if (ids.Length > 0)
        {
            segments.Add(new PromptSegment.Tokens(ids));
        }
    }

    private List<PromptSegment> FromCard(IReadOnlyList<ChatMessage> messages, ChatPart.Media[] media)
    {
        List<List<TextSegment>> chunks = CardText.Write(_card.Prompt, messages);
        if (!_splits)
        {
            // The text as a whole, with a placeholder token between the chunks.
            List<TextSegment> whole = [.. chunks[0]];
            foreach (List<TextSegment> chunk in chunks.Skip(1))
            {
                whole.Add(new TextSegment(_placeholder!, ParseSpecial: true));
                whole.AddRange(chunk);
            }
            return Place(_tokenizer.EncodeSegments(whole, addSpecialTokens: true), media);
        }
        List<PromptSegment> segments = [];
        for (int i = 0; i < chunks.Count; i++)
        {
            int[] ids = _tokenizer.EncodeSegments(chunks[i], addSpecialTokens: true);
            Add(segments, i > 0 && ids.Length > 0 && ids[0] == _tokenizer.BosId ? ids[1..] : ids);
            if (i < media.Length)
            {
                segments.Add(new PromptSegment.Media(media[i].Modality, media[i].Index, _placeholderId));
            }
        }
        return segments;
    }
}
