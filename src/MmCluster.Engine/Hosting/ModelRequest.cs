using System.Runtime.InteropServices;
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

    /// <summary>Media that the answer may have besides text; null is all that the model makes.</summary>
    public IReadOnlyCollection<Modality>? OutputMedia { get; init; }

    /// <summary>Whether entries tell, before the first token, where the request is.</summary>
    public bool ReportProgress { get; init; }

    /// <summary>Whose request this is.</summary>
    public string Tenant { get; init; } = "";

    /// <summary>Which of the model's running revisions is asked, where a cluster has several during a rollout; empty is the current one.</summary>
    public string Revision { get; init; } = "";

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
/// <param name="Bytes">The file's bytes, not yet decoded; or values where <see cref="Shape"/> says so.</param>
/// <param name="Name">What errors call it: a path, an address, a place in the request.</param>
public sealed record MediaItem(Modality Modality, ReadOnlyMemory<byte> Bytes, string Name)
{
    /// <summary>
    /// Null for a file. Else <see cref="Bytes"/> are as many values in F32, row-major and little-endian: pixels [3, height, width] as the encoder takes them, or
    /// features [positions, width] as the backbone does.
    /// </summary>
    public IReadOnlyList<int>? Shape { get; init; }

    /// <summary>Whether no encoder is needed any more.</summary>
    public bool IsFeatures => Shape is { Count: 2 };

    /// <summary>The bytes as values; only where there is a shape.</summary>
    public ReadOnlySpan<float> Values => MemoryMarshal.Cast<byte, float>(Bytes.Span);
}
