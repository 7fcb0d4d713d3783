using MmCluster.Models.Yaml;

namespace MmCluster.Cluster.Deployment;

/// <summary>
/// A cluster.yaml (<c>schema: 1</c>): what an operator wants to run, how gateways listen, and who may use them. docs/design/008-cluster-yaml.md
/// lists the keys.
/// </summary>
public sealed record ClusterFile
{
    /// <summary>Whether the file says which models run. One without <c>models:</c> leaves them as they are.</summary>
    public bool ManagesModels { get; init; }

    /// <summary>The models, in the file's order.</summary>
    public IReadOnlyList<ModelDeployment> Models { get; init; } = [];

    /// <summary>Keys that gateways accept; none means that anybody may do anything.</summary>
    public IReadOnlyList<KeyGrant> Keys { get; init; } = [];

    /// <summary>How gateways listen and what they bear.</summary>
    public GatewaySettings Gateway { get; init; } = new();

    /// <summary>Reads a file; <paramref name="overrides"/> replace its values, later ones earlier ones.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">Something is unknown or illegal; the message has file, line, key and what is allowed.</exception>
    public static ClusterFile Read(string path, params IEnumerable<YamlOverride> overrides) =>
        Parse(YamlText.Read(path, "cluster file"), path, overrides);

    /// <summary>Reads a file's text; <paramref name="file"/> names it in errors.</summary>
    /// <exception cref="InvalidDataException">Something is unknown or illegal; the message has file, line, key and what is allowed.</exception>
    public static ClusterFile Parse(string yaml, string file, params IEnumerable<YamlOverride> overrides) =>
        ClusterFileReader.Read(YamlText.Parse(yaml, file, "cluster file", overrides));

    /// <summary>Settings that differ from <paramref name="running"/>'s and take effect only when gateways start again, by their keys.</summary>
    public IReadOnlyList<string> NeedRestart(ClusterFile running) => Gateway.Differences(running.Gateway);
}
