using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.RepresentationModel;

namespace MmCluster.Models.Cards;

/// <summary>A mapping of a card's YAML, read by key with errors that name file, line and key; keys that nobody asked for are errors.</summary>
internal sealed class CardNode
{
    private const int MaxDepth = 16;

    private readonly string _file;
    private readonly YamlMappingNode _node;
    private readonly HashSet<string> _asked = [];

    public CardNode(string file, YamlNode node, string what)
    {
        _file = file;
        _node = node as YamlMappingNode ?? throw Bad(node, $"{what}: a mapping (key: value) was expected");
    }

    public int Line => (int)_node.Start.Line;

    public InvalidDataException Bad(string key, string what) => Bad(Find(key) ?? _node, $"{key}: {what}");

    public InvalidDataException BadHere(string what) => Bad(_node, what);

    public string? TryText(string key) => Find(key) is { } node ? ToText(node, key) : null;

    public string Text(string key) => TryText(key) ?? throw Bad(_node, $"{key} is missing");

    public string TextOr(string otherwise, string key) => TryText(key) ?? otherwise;

    public bool BoolOr(bool otherwise, string key) => TryText(key) switch
    {
        null => otherwise,
        "true" => true,
        "false" => false,
        var other => throw Bad(key, $"true or false was expected, not '{other}'"),
    };

    /// <summary>A list of texts, or one; empty where there is none.</summary>
    public IReadOnlyList<string> Texts(string key) => Find(key) switch
    {
        null => [],
        YamlSequenceNode list => [.. list.Children.Select(item => ToText(item, key))],
        var single => [ToText(single, key)],
    };

    public CardNode? TrySection(string key) => Find(key) is { } node ? new CardNode(_file, node, key) : null;

    /// <summary>The mapping's entries, each a mapping itself; all count as asked for.</summary>
    public IEnumerable<(string Key, CardNode Value)> Sections()
    {
        foreach ((YamlNode key, YamlNode value) in _node.Children)
        {
            string name = ToText(key, "key");
            _asked.Add(name);
            yield return (name, new CardNode(_file, value, name));
        }
    }

    /// <summary>The mapping's entries as pairs of texts, in order; all count as asked for.</summary>
    public IEnumerable<(string Key, string Value)> Pairs()
    {
        foreach ((YamlNode key, YamlNode value) in _node.Children)
        {
            string name = ToText(key, "key");
            _asked.Add(name);
            yield return (name, ToText(value, name));
        }
    }

    /// <summary>A value as JSON: plain scalars become numbers, true, false or null, quoted ones text.</summary>
    public JsonElement? TryJson(string key) => Find(key) is { } node
        ? JsonSerializer.SerializeToElement(ToJson(node, 0))
        : null;

    /// <summary>Ends the reading of this mapping.</summary>
    /// <exception cref="InvalidDataException">It has a key that was not asked for.</exception>
    public void RefuseOthers()
    {
        foreach ((YamlNode key, _) in _node.Children)
        {
            string name = ToText(key, "key");
            if (!_asked.Contains(name))
            {
                throw Bad(key, $"unknown key '{name}'; known here: {string.Join(", ", _asked.Order(StringComparer.Ordinal))}");
            }
        }
    }

    private YamlNode? Find(string key)
    {
        _asked.Add(key);
        return _node.Children.TryGetValue(new YamlScalarNode(key), out YamlNode? value) ? value : null;
    }

    private string ToText(YamlNode node, string key) => (node as YamlScalarNode)?.Value ?? throw Bad(node, $"{key}: a text was expected");

    private JsonNode? ToJson(YamlNode node, int depth) => node switch
    {
        _ when depth > MaxDepth => throw Bad(node, $"nested deeper than {MaxDepth}"),
        YamlMappingNode map => new JsonObject(map.Children.Select(item => KeyValuePair.Create(ToText(item.Key, "key"), ToJson(item.Value, depth + 1)))),
        YamlSequenceNode list => new JsonArray([.. list.Children.Select(item => ToJson(item, depth + 1))]),
        YamlScalarNode { Style: YamlDotNet.Core.ScalarStyle.Plain, Value: var value } => value switch
        {
            null or "" or "null" or "~" => null,
            "true" => JsonValue.Create(true),
            "false" => JsonValue.Create(false),
            _ when long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) => JsonValue.Create(whole),
            _ when double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) => JsonValue.Create(number),
            _ => JsonValue.Create(value),
        },
        YamlScalarNode scalar => JsonValue.Create(scalar.Value),
        _ => throw Bad(node, "a value was expected"),
    };

    private InvalidDataException Bad(YamlNode node, string what) => new($"{_file}({node.Start.Line}): {what}");
}
