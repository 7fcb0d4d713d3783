using MmCluster.Models.Checkpoints;
using MmCluster.Models.Yaml;

namespace MmCluster.Models.Cards;

/// <summary>Reads a card (<c>schema: 1</c>). Every error names file and line; an unknown key is an error.</summary>
public static class CardReader
{
    private const int Schema = 1;

    // Key layouts that cards may name, so that a card need not repeat them.
    private static readonly Dictionary<string, KeyMap> Layouts = new()
    {
        ["llama"] = KeyLayouts.Llama,
        ["opt"] = KeyLayouts.Opt,
        ["t5"] = KeyLayouts.T5,
        ["blip2"] = KeyLayouts.Blip2,
        ["clip_vision"] = KeyLayouts.ClipVision,
        ["clip_text"] = KeyLayouts.ClipText,
        ["llava"] = KeyLayouts.Llava,
    };

    /// <summary>Reads and checks a card file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">Not a card; the message has the line.</exception>
    public static ModelCard Read(string path) =>
        Parse(YamlText.Read(path, "card"), path);

    /// <summary>Parses and checks a card's text; <paramref name="file"/> names it in errors.</summary>
    /// <exception cref="InvalidDataException">Not a card; the message has the line.</exception>
    public static ModelCard Parse(string yaml, string file)
    {
        YamlMap root = YamlText.Parse(yaml, file, "card");
        if (root.Text("schema") != $"{Schema}")
        {
            throw root.Bad("schema", $"'{root.Text("schema")}' is not known; known: {Schema}");
        }
        string name = root.Text("name");
        if (name.Length == 0 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
        {
            throw root.Bad("name", $"'{name}' may hold only letters, digits, '.', '_' and '-'");
        }
        ModelCard card = new()
        {
            Name = name,
            Description = root.TextOr("", "description"),
            Source = root.TryText("source"),
            IsDefault = root.BoolOr(false, "default"),
            Components = ReadComponents(root),
            Prompt = root.TrySection("prompt") is { } prompt ? ReadPrompt(prompt) : new PromptCard(),
            File = file,
        };
        root.RefuseOthers();
        CardGraph.Check(card);
        return card;
    }

    private static IReadOnlyList<ComponentCard> ReadComponents(YamlMap root)
    {
        YamlMap components = root.TrySection("components") ?? throw root.BadHere("components is missing");
        return [.. components.Sections().Select(entry => ReadComponent(entry.Key, entry.Value))];
    }

    private static ComponentCard ReadComponent(string name, YamlMap node)
    {
        string prefix = node.TextOr("", "prefix");
        ComponentCard component = new()
        {
            Name = name,
            Line = node.Line,
            Kind = ReadKind(node),
            Network = node.Text("network"),
            From = node.Texts("from"),
            Modality = ReadModality(node),
            ConfigSection = node.TextOr("", "config_section"),
            Config = node.TryJson("config"),
            Weights = node.TryText("weights"),
            Prefix = prefix.Length == 0 || prefix.EndsWith('.') ? prefix : prefix + ".",
            Keys = ReadKeys(node),
            Preprocess = node.TryJson("preprocess"),
            Placeholder = node.TryText("placeholder"),
            SignalTokens = node.Texts("signal_tokens"),
        };
        node.RefuseOthers();
        return component;
    }

    private static ComponentKind ReadKind(YamlMap node) => node.Text("kind") switch
    {
        "encoder" => ComponentKind.Encoder,
        "projector" => ComponentKind.Projector,
        "backbone" => ComponentKind.Backbone,
        "output_projector" => ComponentKind.OutputProjector,
        "generator" => ComponentKind.Generator,
        var other => throw node.Bad("kind", $"'{other}' is not known; known: encoder, projector, backbone, output_projector, generator"),
    };

    private static Modality? ReadModality(YamlMap node) => node.TryText("modality") switch
    {
        null => null,
        "image" => Modality.Image,
        "video" => Modality.Video,
        "audio" => Modality.Audio,
        "points" => Modality.Points,
        var other => throw node.Bad("modality", $"'{other}' is not known; known: image, video, audio, points"),
    };

    private static KeyMap ReadKeys(YamlMap node)
    {
        KeyMap map = new();
        if (node.TrySection("keys") is { } keys)
        {
            foreach ((string from, string to) in keys.Pairs())
            {
                map.Rename(from, to);
            }
        }
        foreach (string pattern in node.Texts("ignore"))
        {
            map.Ignore(pattern);
        }
        return node.TryText("layout") is not { } layout ? map
            : Layouts.TryGetValue(layout, out KeyMap? known) ? map.Then(known)
            : throw node.Bad("layout", $"'{layout}' is not known; known: {string.Join(", ", Layouts.Keys.Order(StringComparer.Ordinal))}");
    }

    private static PromptCard ReadPrompt(YamlMap node)
    {
        PromptCard known = new();
        PromptCard prompt = new()
        {
            DefaultSystem = node.TextOr(known.DefaultSystem, "default_system"),
            System = Piece(node, "system", "{content}", known.System),
            User = Piece(node, "user", "{content}", known.User),
            Assistant = Piece(node, "assistant", "{content}", known.Assistant),
            Generate = node.TextOr(known.Generate, "generate"),
            Media = Piece(node, "media", "{media}", known.Media),
            Stop = node.Texts("stop"),
            PreferChatTemplate = node.BoolOr(known.PreferChatTemplate, "prefer_chat_template"),
            SplitAtMedia = node.BoolOr(known.SplitAtMedia, "split_at_media"),
        };
        node.RefuseOthers();
        return prompt;
    }

    private static string Piece(YamlMap node, string key, string hole, string otherwise)
    {
        string text = node.TextOr(otherwise, key);
        return text.Split(hole).Length == 2 ? text : throw node.Bad(key, $"must hold {hole} once");
    }
}
