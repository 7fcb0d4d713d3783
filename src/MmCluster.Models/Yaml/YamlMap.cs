using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.RepresentationModel;

namespace MmCluster.Models.Yaml;

/// <summary>A mapping of a YAML file, read by key with errors that name file, line and key; keys that nobody asked for are errors.</summary>
public sealed class YamlMap
{
    private const int MaxDepth = 16;

    private readonly YamlPlaces _places;
    private readonly YamlMappingNode _node;
    private readonly HashSet<string> _asked = [];

    internal YamlMap(YamlPlaces places, YamlNode node, string what)
    {
        _places = places;
        _node = node as YamlMappingNode ?? throw Bad(node, $"{what}: a mapping (key: value) was expected");
    }

    /// <summary>Where it begins.</summary>
    public int Line => (int)_node.Start.Line;

    /// <summary>An error at a key's value.</summary>
    public InvalidDataException Bad(string key, string what) => Bad(Find(key) ?? _node, $"{key}: {what}");

    /// <summary>An error of the mapping as a whole.</summary>
    public InvalidDataException BadHere(string what) => Bad(_node, what);

    /// <summary>A scalar as text, or null where the key is not there.</summary>
    public string? TryText(string key) => Find(key) is { } node ? ToText(node, key) : null;

    /// <summary>A scalar that must be there.</summary>
    public string Text(string key) => TryText(key) ?? throw Bad(_node, $"{key} is missing");

    /// <summary>A scalar, or what stands for none.</summary>
    public string TextOr(string otherwise, string key) => TryText(key) ?? otherwise;

    /// <summary>true or false, or what stands for none.</summary>
    public bool BoolOr(bool otherwise, string key) => TryBool(key) ?? otherwise;

    /// <summary>true or false, or null where the key is not there.</summary>
    public bool? TryBool(string key) => TryText(key) switch
    {
        null => null,
        "true" => true,
        "false" => false,
        var other => throw Bad(key, $"true or false was expected, not '{other}'"),
    };

    /// <summary>A whole number within bounds, or null where the key is not there.</summary>
    public int? TryInt(string key, int least, int most) => TryText(key) is not { } text ? null
        : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= least && value <= most ? value
        : throw Bad(key, $"a whole number from {least} to {most} was expected, not '{text}'");

    /// <summary>A number above 0, or null where the key is not there.</summary>
    public double? TryPositive(string key, double most) => TryText(key) is not { } text ? null
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value > 0 && value <= most ? value
        : throw Bad(key, string.Create(CultureInfo.InvariantCulture, $"a number above 0, at most {most}, was expected, not '{text}'"));

    /// <summary>Bytes above 0, as a number or with KiB, MiB, GiB or TiB behind it; null where the key is not there.</summary>
    public long? TryBytes(string key) => TryText(key) is not { } text ? null
        : ParseBytes(text) ?? throw Bad(key, $"bytes above 0 were expected, such as 1048576 or 64MiB, not '{text}'");

    private static long? ParseBytes(string text)
    {
        string[] units = ["KiB", "MiB", "GiB", "TiB"];
        int unit = Array.FindIndex(units, text.EndsWith);
        string number = (unit < 0 ? text : text[..^3]).TrimEnd();
        int shift = 10 * (unit + 1);
        return long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value > 0 && value <= long.MaxValue >> shift
            ? value << shift
            : null;
    }

    /// <summary>A list of texts, or one; empty where there is none.</summary>
    public IReadOnlyList<string> Texts(string key) => Find(key) switch
    {
        null => [],
        YamlSequenceNode list => [.. list.Children.Select(item => ToText(item, key))],
        var single => [ToText(single, key)],
    };

    /// <summary>The mappings of a list; empty where the key is not there.</summary>
    public IReadOnlyList<YamlMap> List(string key) => Find(key) switch
    {
        null => [],
        YamlSequenceNode list => [.. list.Children.Select((item, index) => new YamlMap(_places, item, $"{key}[{index}]"))],
        var other => throw Bad(other, $"{key}: a list (- key: value) was expected"),
    };

    /// <summary>A mapping under a key, or null where it is not there.</summary>
    public YamlMap? TrySection(string key) => Find(key) is { } node ? new YamlMap(_places, node, key) : null;

    /// <summary>The mapping's entries, each a mapping itself; all count as asked for.</summary>
    public IEnumerable<(string Key, YamlMap Value)> Sections()
    {
        foreach ((YamlNode key, YamlNode value) in _node.Children)
        {
            string name = ToText(key, "key");
            _asked.Add(name);
            yield return (name, new YamlMap(_places, value, name));
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

    private InvalidDataException Bad(YamlNode node, string what) => new($"{_places.Of(node)}: {what}");
}
