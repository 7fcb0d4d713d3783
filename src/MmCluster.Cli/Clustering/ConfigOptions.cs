using System.CommandLine;
using MmCluster.Cli.Hosting;
using MmCluster.Cluster.Deployment;
using MmCluster.Models;
using MmCluster.Models.Yaml;

namespace MmCluster.Cli.Clustering;

/// <summary>A cluster.yaml with what overrides its values: environment variables, then <c>--set</c>.</summary>
internal sealed class ConfigOptions
{
    private const string Prefix = "MM_CONFIG__";

    /// <summary><c>--config</c>.</summary>
    public Option<string?> File { get; } = new("--config") { Description = "A cluster.yaml (docs/design/008-cluster-yaml.md); SIGHUP reads it again." };
    /// <summary><c>--set</c>.</summary>
    public Option<string[]> Overrides { get; } = new("--set")
    {
        Description = "KEY=VALUE that replaces a value of the file, as models.mini.dtype=q8_0; may be repeated.",
        DefaultValueFactory = _ => [],
    };

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [File, Overrides];

    /// <summary>The file's path, or null where none was named.</summary>
    public string? Path(ParseResult parsed) => parsed.GetValue(File);

    /// <summary>Reads the file anew.</summary>
    /// <exception cref="InvalidDataException">Something in it is wrong.</exception>
    public ClusterFile Read(ParseResult parsed, CommandContext context) => Path(parsed) is { } path
        ? ClusterFile.Read(path, [.. FromEnvironment(context), .. (parsed.GetValue(Overrides) ?? []).Select(FromFlag)])
        : new ClusterFile();

    private static IEnumerable<YamlOverride> FromEnvironment(CommandContext context) => context.EnvironmentNames(Prefix)
        .Where(name => context.Environment(name) is not null)
        .Select(name => new YamlOverride(name[Prefix.Length..].Replace("__", ".", StringComparison.Ordinal).ToLowerInvariant(), context.Environment(name)!, name));

    private static YamlOverride FromFlag(string text) => text.IndexOf('=', StringComparison.Ordinal) is var at and > 0
        ? new YamlOverride(text[..at], text[(at + 1)..], $"--set {text[..at]}")
        : throw new MmException(MmErrorCode.InvalidArgument, $"--set wants KEY=VALUE, not '{text}'") { Param = "set" };
}
