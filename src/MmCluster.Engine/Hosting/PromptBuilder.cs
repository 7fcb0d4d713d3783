using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using MmCluster.Models;
using MmCluster.Models.Cards;
using MmCluster.Tokenizers;

namespace MmCluster.Engine.Hosting;

/// <summary>
/// Writes a request's input as token ids with gaps for media: by the tokenizer's chat template, by the card's prompt, or as it is. What a user
/// wrote never becomes a special token, and media stand only where a media part stood.
/// </summary>
internal sealed class PromptBuilder(Tokenizer? tokenizer, PromptCard card, string? placeholder, int? placeholderId, TimeProvider time)
{
    // Stands for a media item in text that a template passes through; nobody outside can guess it.
    private readonly string _marker = $"\uE000{Guid.NewGuid():N}\uE001";

    /// <summary>A prompt in order: runs of ids, and media items between them.</summary>
    public sealed record Piece(int[]? Ids, MediaItem? Media);

    /// <exception cref="MmException">InvalidArgument: no tokenizer for text, or a conversation that the template refuses.</exception>
    public List<Piece> Build(ModelInput input)
    {
        if (input is ModelInput.Tokens tokens)
        {
            return [new Piece(tokens.Ids.ToArray(), null)];
        }
        Tokenizer words = tokenizer ?? throw new MmException(
            MmErrorCode.InvalidArgument, "the model's folder has no tokenizer (tokenizer.json or tokenizer.model): give token ids as the prompt")
        {
            Param = "prompt",
        };
        return input switch
        {
            ModelInput.Text text => [new Piece(words.Encode(text.Prompt), null)],
            ModelInput.Chat chat => BuildChat(chat, words),
            _ => throw new System.Diagnostics.UnreachableException($"no prompt for a {input.GetType().Name}"),
        };
    }

    private List<Piece> BuildChat(ModelInput.Chat chat, Tokenizer words)
    {
        MediaItem[] media = [.. chat.Turns.SelectMany(turn => turn.Parts).OfType<ChatPart.Media>().Select(part => part.Item)];
        try
        {
            bool byTemplate = card.PreferChatTemplate && words.Config.ChatTemplates.ContainsKey("default");
            List<TextSegment?> segments = byTemplate ? ByTemplate(chat, words) : new CardPrompt(card).Render(chat.Turns);
            return Tokenize(segments, media, words, addSpecial: !byTemplate || (placeholder is not null && !BeginsWithBos(segments, words)));
        }
        catch (Exception error) when (error is ArgumentException or InvalidDataException or NotSupportedException)
        {
            throw new MmException(MmErrorCode.InvalidArgument, error.Message, error) { Param = "messages" };
        }
    }

    // As transformers' processors do it: BOS comes from the tokenizer unless the template wrote it; text models' templates write all themselves.
    private static bool BeginsWithBos(List<TextSegment?> segments, Tokenizer words) =>
        words.Config.BosToken is { Length: > 0 } bos && segments is [{ } first, ..] && first.Text.StartsWith(bos, StringComparison.Ordinal);

    private List<TextSegment?> ByTemplate(ModelInput.Chat chat, Tokenizer words)
    {
        // Templates of multimodal models walk over parts and look at their type; others take the content as one text.
        bool takesParts = placeholder is not null && words.Config.ChatTemplates["default"].Contains("type", StringComparison.Ordinal);
        RenderedPrompt rendered = words.RenderChat(new ChatTemplateInput
        {
            Messages = JsonSerializer.SerializeToElement(new JsonArray([.. chat.Turns.Select(turn => (JsonNode)Message(turn, takesParts))])),
            Tools = chat.Tools,
            AddGenerationPrompt = true,
            Variables = chat.TemplateArguments is { ValueKind: JsonValueKind.Object } more
                ? more.EnumerateObject().ToImmutableDictionary(property => property.Name, property => property.Value)
                : ImmutableDictionary<string, JsonElement>.Empty,
            Time = time,
        });
        List<TextSegment?> segments = [];
        foreach (TextSegment segment in rendered.Segments)
        {
            string[] stretches = segment.Text.Split(_marker);
            for (int i = 0; i < stretches.Length; i++)
            {
                if (i > 0)
                {
                    segments.Add(null);
                }
                segments.Add(segment with { Text = stretches[i] });
            }
        }
        return segments;
    }

    private JsonObject Message(ChatTurn turn, bool takesParts)
    {
        JsonObject message = turn.Raw is { ValueKind: JsonValueKind.Object } raw ? JsonObject.Create(raw)! : [];
        message["role"] = turn.Role;
        message["content"] = takesParts
            ? new JsonArray([.. turn.Parts.Select(part => (JsonNode)Part(part))])
            : string.Concat(turn.Parts.Select(part => part is ChatPart.Text text ? text.Value : card.Media.Replace("{media}", _marker, StringComparison.Ordinal)));
        return message;
    }

    private static JsonObject Part(ChatPart part) => part switch
    {
        ChatPart.Text text => new JsonObject { ["type"] = "text", ["text"] = text.Value },
        ChatPart.Media media => new JsonObject { ["type"] = media.Item.Modality.ToString().ToLowerInvariant() },
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    // Null segments are media; so are placeholder tokens that a template wrote itself.
    private List<Piece> Tokenize(List<TextSegment?> segments, MediaItem[] media, Tokenizer words, bool addSpecial)
    {
        bool apart = card.SplitAtMedia || placeholderId is null;
        List<int?> ids = apart ? TokenizeApart(segments, words, addSpecial) : [.. words
            .EncodeSegments([.. segments.Select(segment => segment ?? new TextSegment(placeholder!, true))], addSpecial)
            .Select(id => id == placeholderId ? (int?)null : id)];
        int gaps = ids.Count(id => id is null);
        if (gaps != media.Length)
        {
            throw new MmException(MmErrorCode.InvalidArgument, $"the prompt has {gaps} places for {media.Length} media items") { Param = "messages" };
        }
        List<Piece> pieces = [];
        List<int> run = [];
        int next = 0;
        foreach (int? id in ids)
        {
            if (id is { } known)
            {
                run.Add(known);
                continue;
            }
            pieces.Add(new Piece([.. run], null));
            pieces.Add(new Piece(null, media[next++]));
            run.Clear();
        }
        pieces.Add(new Piece([.. run], null));
        pieces.RemoveAll(piece => piece.Ids is { Length: 0 });
        return pieces;
    }

    private static List<int?> TokenizeApart(List<TextSegment?> segments, Tokenizer words, bool addSpecial)
    {
        List<int?> ids = [];
        List<TextSegment> run = [];
        bool first = addSpecial;
        foreach (TextSegment? segment in segments.Append(null))
        {
            if (segment is { } text)
            {
                run.Add(text);
                continue;
            }
            ids.AddRange(words.EncodeSegments(run, first).Select(id => (int?)id));
            ids.Add(null);
            run.Clear();
            first = false;
        }
        ids.RemoveAt(ids.Count - 1);
        return ids;
    }
}
