using MmCluster.Models.Cards;
using MmCluster.Tokenizers;

namespace MmCluster.Models.Prompts;

/// <summary>Writes a conversation by a card's pieces: chunks of text with a media item between any two. What a user wrote is not trusted.</summary>
internal static class CardText
{
    private const string ContentHole = "{content}";
    private const string MediaHole = "{media}";

    public static List<List<TextSegment>> Write(PromptCard card, IReadOnlyList<ChatMessage> messages)
    {
        List<List<TextSegment>> chunks = [[]];
        if (card.DefaultSystem.Length > 0 && !messages.Any(message => message.Role == "system"))
        {
            Add(chunks, card.System.Replace(ContentHole, card.DefaultSystem, StringComparison.Ordinal), isTrusted: true);
        }
        foreach (ChatMessage message in messages)
        {
            string piece = message.Role switch
            {
                "system" => card.System,
                "user" => card.User,
                "assistant" => card.Assistant,
                var other => throw new ArgumentException($"messages: role '{other}' is not known; known: system, user, assistant"),
            };
            string[] around = piece.Split(ContentHole);
            Add(chunks, around[0], isTrusted: true);
            foreach (ChatPart part in message.Parts)
            {
                WritePart(chunks, card, part);
            }
            Add(chunks, around[1], isTrusted: true);
        }
        Add(chunks, card.Generate, isTrusted: true);
        return chunks;
    }

    private static void WritePart(List<List<TextSegment>> chunks, PromptCard card, ChatPart part)
    {
        if (part is ChatPart.Text text)
        {
            Add(chunks, text.Value, isTrusted: false);
            return;
        }
        string[] around = card.Media.Split(MediaHole);
        Add(chunks, around[0], isTrusted: true);
        chunks.Add([]);
        Add(chunks, around[1], isTrusted: true);
    }

    private static void Add(List<List<TextSegment>> chunks, string text, bool isTrusted)
    {
        if (text.Length > 0)
        {
            chunks[^1].Add(new TextSegment(text, isTrusted));
        }
    }
}
