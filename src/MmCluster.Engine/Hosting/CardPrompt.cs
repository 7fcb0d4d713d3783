using MmCluster.Models;
using MmCluster.Models.Cards;
using MmCluster.Tokenizers;

namespace MmCluster.Engine.Hosting;

/// <summary>Writes a conversation as a card says, for models without a chat template.</summary>
internal sealed class CardPrompt(PromptCard card)
{
    private readonly List<TextSegment?> _segments = [];

    /// <summary>Text in order, null where a media item stands. The card's own text is trusted, the conversation's is not.</summary>
    public List<TextSegment?> Render(IReadOnlyList<ChatTurn> turns)
    {
        if (card.DefaultSystem.Length > 0 && !turns.Any(turn => turn.Role is "system" or "developer"))
        {
            Write(card.System, () => Trusted(card.DefaultSystem));
        }
        foreach (ChatTurn turn in turns)
        {
            string format = turn.Role switch
            {
                "system" or "developer" => card.System,
                "user" => card.User,
                "assistant" => card.Assistant,
                _ => throw new MmException(
                    MmErrorCode.InvalidArgument, $"this model's prompt has no place for the role '{turn.Role}'; known are system, user, assistant")
                {
                    Param = "messages",
                },
            };
            Write(format, () => Content(turn));
        }
        Trusted(card.Generate);
        return _segments;
    }

    private void Content(ChatTurn turn)
    {
        foreach (ChatPart part in turn.Parts)
        {
            switch (part)
            {
                case ChatPart.Text text:
                    _segments.Add(new TextSegment(text.Value, false));
                    break;
                case ChatPart.Media:
                    string[] around = card.Media.Split("{media}");
                    Trusted(around[0]);
                    _segments.Add(null);
                    Trusted(around.Length > 1 ? around[1] : "");
                    break;
                default:
                    throw new System.Diagnostics.UnreachableException($"no text for a {part.GetType().Name}");
            }
        }
    }

    private void Write(string format, Action content)
    {
        string[] around = format.Split("{content}");
        for (int i = 0; i < around.Length; i++)
        {
            if (i > 0)
            {
                content();
            }
            Trusted(around[i]);
        }
    }

    private void Trusted(string text)
    {
        if (text.Length > 0)
        {
            _segments.Add(new TextSegment(text, true));
        }
    }
}
