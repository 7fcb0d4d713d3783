using System.Text.Json;
using MmCluster.Engine;

namespace MmCluster.Gateway.Models;

/// <summary>One generation as it came from outside: text and media not yet turned into tokens.</summary>
public sealed record GenerationRequest
{
    /// <summary>Unique among requests in flight.</summary>
    public required string Id { get; init; }

    /// <summary>What to continue or answer.</summary>
    public required GenerationInput Input { get; init; }

    /// <summary>How to sample and when to stop.</summary>
    public required SamplingParameters Sampling { get; init; }

    /// <summary>Lower runs first.</summary>
    public int Priority { get; init; }

    /// <summary>When to give up, or null.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Separates prefix-cache entries.</summary>
    public string CacheSalt { get; init; } = "";

    /// <summary>Whose request this is.</summary>
    public string Tenant { get; init; } = "";
}

/// <summary>What a request continues or answers.</summary>
public abstract record GenerationInput
{
    private GenerationInput()
    {
    }

    /// <summary>Token ids as they are.</summary>
    public sealed record Tokens(ReadOnlyMemory<int> Ids) : GenerationInput;

    /// <summary>Text, tokenized with the model's special tokens in front.</summary>
    public sealed record Text(string Prompt) : GenerationInput;

    /// <summary>A conversation for the model's chat template.</summary>
    /// <param name="Messages">OpenAI's messages; media parts carry their index in <paramref name="Media"/>.</param>
    /// <param name="Media">Bytes of the media parts, in order.</param>
    public sealed record Chat(IReadOnlyList<ChatMessage> Messages, IReadOnlyList<MediaPart> Media) : GenerationInput
    {
        /// <summary>OpenAI's tools, passed to the template, or null.</summary>
        public JsonElement? Tools { get; init; }

        /// <summary>More variables for the template, or null.</summary>
        public JsonElement? TemplateArguments { get; init; }
    }
}

/// <summary>One message of a conversation.</summary>
/// <param name="Role">system, user, assistant or tool.</param>
/// <param name="Parts">Text and media in order.</param>
/// <param name="Raw">The message as it came, for fields that only templates know (name, tool_calls).</param>
public sealed record ChatMessage(string Role, IReadOnlyList<ChatPart> Parts, JsonElement Raw);

/// <summary>A piece of a message: text, or the place of a media item.</summary>
/// <param name="Text">The text, or null for media.</param>
/// <param name="MediaIndex">Index of the media item, or null for text.</param>
public readonly record struct ChatPart(string? Text, int? MediaIndex);

/// <summary>A media item's bytes as they came.</summary>
/// <param name="Kind">image, audio or video.</param>
/// <param name="Bytes">The file's bytes, not yet decoded.</param>
/// <param name="Param">Where it stands in the request, for error messages.</param>
public sealed record MediaPart(string Kind, ReadOnlyMemory<byte> Bytes, string Param);
