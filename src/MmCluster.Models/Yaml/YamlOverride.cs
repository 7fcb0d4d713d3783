using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace MmCluster.Models.Yaml;

/// <summary>A value that replaces or adds one of a file's.</summary>
/// <param name="Path">Keys from the top, joined by dots; keys of the file may hold dots themselves. Upper and lower case are one where the file has the key.</param>
/// <param name="Value">The value as YAML; a list as <c>[a, b]</c>.</param>
/// <param name="Place">What errors call its origin, such as a variable's name.</param>
public sealed record YamlOverride(string Path, string Value, string Place)
{
    internal void Apply(YamlNode root, YamlPlaces places)
    {
        YamlNode at = root;
        string rest = Path;
        while (true)
        {
            YamlMappingNode map = at as YamlMappingNode ?? throw new InvalidDataException($"{Place}: '{Path}' leads below a value that has no keys");
            string key = KeyOf(map, rest);
            if (key.Length == rest.Length)
            {
                YamlNode value = ValueNode();
                Mark(value, places);
                YamlNode name = ExistingKey(map, key) ?? NewKey(key, places);
                map.Children[name] = value;
                return;
            }
            rest = rest[(key.Length + 1)..];
            YamlNode? known = ExistingKey(map, key);
            if (known is null || map.Children[known] is YamlScalarNode { Value: null or "" })
            {
                known ??= NewKey(key, places);
                places.Override(map.Children[known] = new YamlMappingNode(), Place);
            }
            at = map.Children[known];
        }
    }

    // The longest of the file's keys that the path goes on with, or its next word.
    private static string KeyOf(YamlMappingNode map, string rest) => map.Children.Keys.OfType<YamlScalarNode>()
        .Select(key => key.Value ?? "")
        .Where(key => rest.Equals(key, StringComparison.OrdinalIgnoreCase) || rest.StartsWith(key + ".", StringComparison.OrdinalIgnoreCase))
        .MaxBy(key => key.Length) is { Length: > 0 } known ? rest[..known.Length]
        : rest.Split('.', 2)[0];

    private static YamlNode? ExistingKey(YamlMappingNode map, string key) =>
        map.Children.Keys.FirstOrDefault(node => string.Equals((node as YamlScalarNode)?.Value, key, StringComparison.OrdinalIgnoreCase));

    private YamlScalarNode NewKey(string key, YamlPlaces places)
    {
        var name = new YamlScalarNode(key);
        places.Override(name, Place);
        return name;
    }

    private YamlNode ValueNode()
    {
        try
        {
            YamlStream stream = [];
            stream.Load(new StringReader(Value));
            return stream.Documents.Count == 1 ? stream.Documents[0].RootNode : new YamlScalarNode(Value);
        }
        catch (YamlException error)
        {
            throw new InvalidDataException($"{Place}: '{Value}' is not YAML: {error.Message}", error);
        }
    }

    private void Mark(YamlNode value, YamlPlaces places)
    {
        foreach (YamlNode node in value.AllNodes)
        {
            places.Override(node, Place);
        }
    }
}
