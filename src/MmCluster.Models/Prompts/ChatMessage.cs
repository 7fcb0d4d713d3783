using System.Text.Json;
using MmCluster.Models.Cards;

namespace MmCluster.Models.Prompts;

/// <summary>One turn of a conversation.</summary>
/// <param name="Role">system, user or assistant; a chat template may know others.</param>
/// <param name="Parts">Its content in order.</param>
public sealed record ChatMessage(string Role, IReadOnlyList<ChatPart> Parts)
{
    /// <summary>A turn of text alone.</summary>
    public ChatMessage(string role, string text)
        : this(role, [new ChatPart.Text(text)])
    {
    }

    /// <summary>The message as its sender wrote it, for fields that only templates know (name, tool_calls); null when there are none.</summary>
    public JsonElement? Raw { get; init; }
}

/// <summary>A part of a turn.</summary>
public abstract record ChatPart
{
    private ChatPart()
    {
    }

    /// <summary>Text of whoever speaks; never parsed for special tokens.</summary>
    public sealed record Text(string Value) : ChatPart;

    /// <summary>A media item, counted over the conversation from 0 in order.</summary>
    public sealed record Media(Modality Modality, int Index) : ChatPart;
}

/// <summary>A piece of a built prompt: ids, or the place of a media item.</summary>
public abstract record PromptSegment
{
    private PromptSegment()
    {
    }

    /// <summary>Token ids.</summary>
    public sealed record Tokens(int[] Ids) : PromptSegment;

    /// <summary>
    /// Where the features of item <see cref="Index"/> stand: as many positions as its path gives, each holding <see cref="PlaceholderToken"/>.
    /// </summary>
    public sealed record Media(Modality Modality, int Index, int PlaceholderToken) : PromptSegment;
}
