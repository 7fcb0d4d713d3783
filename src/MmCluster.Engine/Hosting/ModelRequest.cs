using System.Text.Json;
using MmCluster.Models.Cards;

namespace MmCluster.Engine.Hosting;

/// <summary>One generation of a <see cref="LocalModel"/>: text and media not yet turned into tokens.</summary>
public sealed record ModelRequest
{
    /// <summary>Unique among requests in flight; by default a fresh one.</summary>
    public string Id { get; init; } = Guid.NewGuid().ToString("N");

    /// <summary>What to continue or answer.</summary>
    public required ModelInput Input { get; init; }

    /// <summary>How to sample and when to stop.</summary>
    public required SamplingParameters Sampling { get; init; }

    /// <summary>Lower runs first.</summary>
    public int Priority { get; init; }

    /// <summary>When to give up, or null.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Whose request this is.</summary>
    public string Tenant { get; init; } = "";

    /// <summary>Separates cached prefixes and features within a tenant.</summary>
    public string CacheSalt { get; init; } = "";
}

/// <summary>What a request continues or answers.</summary>
public abstract record ModelInput
{
    private ModelInput()
    {
    }

    /// <summary>Token ids as they are.</summary>
    public sealed record Tokens(ReadOnlyMemory<int> Ids) : ModelInput;

    /// <summary>Text with the model's special tokens around it; special tokens that it spells are not parsed.</summary>
    public sealed record Text(string Prompt) : ModelInput;

    /// <summary>A conversation for the model's chat template, or its card's prompt where it has none.</summary>
    public sealed record Chat(IReadOnlyList<ChatTurn> Turns) : ModelInput
    {
        /// <summary>OpenAI's tools for the template, or null.</summary>
        public JsonElement? Tools { get; init; }

        /// <summary>An object with more variables for the template, or null.</summary>
        public JsonElement? TemplateArguments { get; init; }

        /// <summary>One user turn: media first, then the text.</summary>
        public static Chat FromUser(string text, params IEnumerable<MediaItem> media) =>
            new([new ChatTurn("user", [.. media.Select(item => (ChatPart)new ChatPart.Media(item)), new ChatPart.Text(text)])]);
    }
}

/// <summary>One turn of a conversation.</summary>
/// <param name="Role">system, user, assistant or tool.</param>
/// <param name="Parts">Text and media in order.</param>
public sealed record ChatTurn(string Role, IReadOnlyList<ChatPart> Parts)
{
    /// <summary>The message as it came, for fields that only templates know (name, tool_calls); or null.</summary>
    public JsonElement? Raw { get; init; }
}

/// <summary>A piece of a turn.</summary>
public abstract record ChatPart
{
    private ChatPart()
    {
    }

    /// <summary>Text.</summary>
    public sealed record Text(string Value) : ChatPart;

    /// <summary>A media item.</summary>
    public sealed record Media(MediaItem Item) : ChatPart;
}

/// <summary>A media item's bytes as they came.</summary>
/// <param name="Modality">What it is.</param>
/// <param name="Bytes">The file's bytes, not yet decoded.</param>
/// <param name="Name">What errors call it: a path, an address, a place in the request.</param>
public sealed record MediaItem(Modality Modality, ReadOnlyMemory<byte> Bytes, string Name);
