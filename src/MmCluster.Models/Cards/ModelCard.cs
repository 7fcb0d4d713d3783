using System.Text.Json;
using MmCluster.Models.Checkpoints;

namespace MmCluster.Models.Cards;

/// <summary>
/// The topology of a model: its parts, which network each is, where its weights come from, what feeds what, and how a prompt is written.
/// Read from models/*.yaml by <see cref="CardReader"/>, or made from a Hugging Face folder by the catalog.
/// </summary>
public sealed record ModelCard
{
    /// <summary>The model's name: letters, digits, '.', '_' and '-'.</summary>
    public required string Name { get; init; }

    /// <summary>One line about it.</summary>
    public string Description { get; init; } = "";

    /// <summary>ORG/NAME of the published checkpoint, or null.</summary>
    public string? Source { get; init; }

    /// <summary>Whether commands take this model where none is named.</summary>
    public bool IsDefault { get; init; }

    /// <summary>The parts, in file order.</summary>
    public required IReadOnlyList<ComponentCard> Components { get; init; }

    /// <summary>How turns become text.</summary>
    public PromptCard Prompt { get; init; } = new();

    /// <summary>Where it was read from, for errors.</summary>
    public string File { get; init; } = "";

    /// <summary>The language model.</summary>
    public ComponentCard? Backbone => Components.FirstOrDefault(component => component.Kind == ComponentKind.Backbone);
}

/// <summary>What a part of a model does (DESIGN 1).</summary>
public enum ComponentKind
{
    /// <summary>Media to features.</summary>
    Encoder,

    /// <summary>Features to the backbone's space.</summary>
    Projector,

    /// <summary>The language model.</summary>
    Backbone,

    /// <summary>Hidden states of signal tokens to a generator's condition.</summary>
    OutputProjector,

    /// <summary>Condition to media.</summary>
    Generator,
}

/// <summary>Media that encoders take and generators make.</summary>
public enum Modality
{
    /// <summary>A picture.</summary>
    Image,

    /// <summary>A film.</summary>
    Video,

    /// <summary>Sound.</summary>
    Audio,

    /// <summary>A point cloud.</summary>
    Points,
}

/// <summary>One part of a model.</summary>
public sealed record ComponentCard
{
    /// <summary>Its name within the card.</summary>
    public required string Name { get; init; }

    /// <summary>What it does.</summary>
    public required ComponentKind Kind { get; init; }

    /// <summary>The network's name in the catalog.</summary>
    public required string Network { get; init; }

    /// <summary>Components that feed it; for an encoder none.</summary>
    public IReadOnlyList<string> From { get; init; } = [];

    /// <summary>What an encoder takes or a generator makes.</summary>
    public Modality? Modality { get; init; }

    /// <summary>Section of config.json with its hyper-parameters, dotted; empty for the root.</summary>
    public string ConfigSection { get; init; } = "";

    /// <summary>Hyper-parameters that come before config.json's, or null.</summary>
    public JsonElement? Config { get; init; }

    /// <summary>Where its weights are, if not in the model's own checkpoint: ORG/NAME, or a path below the model's folder.</summary>
    public string? Weights { get; init; }

    /// <summary>Path of its tensors among the (renamed) names, with its dot; empty for the root.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>How the checkpoint's keys are renamed before; components of one checkpoint share one map.</summary>
    public KeyMap Keys { get; init; } = KeyMap.Identity;

    /// <summary>How media become its input, in the form of preprocessor_config.json; null takes the folder's own file.</summary>
    public JsonElement? Preprocess { get; init; }

    /// <summary>The prompt's token whose place an encoder's features take.</summary>
    public string? Placeholder { get; init; }

    /// <summary>The special tokens by which the language model asks a generator for an item, in order and all different.</summary>
    public IReadOnlyList<string> SignalTokens { get; init; } = [];

    /// <summary>Line in the card, or 0.</summary>
    public int Line { get; init; }
}

/// <summary>
/// How a conversation becomes text, where the tokenizer has no chat template. In each piece {content} is the turn's text, in
/// <see cref="Media"/> {media} is the place of the features.
/// </summary>
public sealed record PromptCard
{
    /// <summary>Used when the conversation has no system turn; empty for none.</summary>
    public string DefaultSystem { get; init; } = "";

    /// <summary>A system turn.</summary>
    public string System { get; init; } = "{content}";

    /// <summary>A user's turn.</summary>
    public string User { get; init; } = "{content}";

    /// <summary>A finished turn of the assistant.</summary>
    public string Assistant { get; init; } = "{content}";

    /// <summary>What invites the assistant's turn.</summary>
    public string Generate { get; init; } = "";

    /// <summary>How one media item stands in a turn.</summary>
    public string Media { get; init; } = "{media}\n";

    /// <summary>Texts that end generation.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Whether a chat template of the tokenizer comes before this.</summary>
    public bool PreferChatTemplate { get; init; } = true;

    /// <summary>Whether the text around media is tokenized piece by piece, as the model was trained, or as one text.</summary>
    public bool SplitAtMedia { get; init; }
}
