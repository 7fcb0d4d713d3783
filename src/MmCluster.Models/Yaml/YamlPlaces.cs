using YamlDotNet.RepresentationModel;

namespace MmCluster.Models.Yaml;

/// <summary>Where the values of a file came from: its lines, or what overrode them.</summary>
internal sealed class YamlPlaces(string file)
{
    private readonly Dictionary<YamlNode, string> _overridden = new(ReferenceEqualityComparer.Instance);

    /// <summary>What an error calls the node's place.</summary>
    public string Of(YamlNode node) => _overridden.TryGetValue(node, out string? place) ? place : $"{file}({node.Start.Line})";

    public void Override(YamlNode node, string place) => _overridden[node] = place;
}
