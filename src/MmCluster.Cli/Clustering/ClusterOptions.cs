using System.CommandLine;
using MmCluster.Cli.Commands;
using MmCluster.Cli.Hosting;
using MmCluster.Cluster.Hosting;
using MmCluster.Models;

namespace MmCluster.Cli.Clustering;

/// <summary>What every process of a cluster is told: where the others are, and what they know of each other.</summary>
internal sealed class ClusterOptions
{
    private const string OrleansPrefix = "Orleans__";
    private const string ClusteringProvider = OrleansPrefix + "Clustering__ProviderType";

    private readonly Option<string?> _folder = new("--cluster-folder")
    {
        Description = "Folder by which the processes of one machine find each other, and where the cluster's state is kept (MM_CLUSTER_FOLDER).",
    };

    private readonly Option<string> _id = new("--cluster-id") { Description = "Names the cluster.", DefaultValueFactory = _ => "mm" };
    private readonly Option<string?> _secret = new("--cluster-secret")
    {
        Description = "What all processes of the cluster prove to each other (MM_CLUSTER_SECRET); default: one that is drawn once and kept in the folder.",
    };

    private readonly Option<int> _linkPort = NumberOptions.Port("--tensor-link-port", 0, "TCP port of the tensor link; 0 picks a free one.");
    private readonly Option<long?> _linkBytes = NumberOptions.BytesOrNone("--tensor-link-bytes", "Shared memory for tensors held for others; default: 1 GiB.");

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [_folder, _id, _secret, _linkPort, _linkBytes];

    /// <summary>The folder that was named, or null.</summary>
    public string? FolderOrNull(ParseResult parsed, CommandContext context) => parsed.GetValue(_folder) ?? context.Environment("MM_CLUSTER_FOLDER");

    /// <summary>The folder that was named, or the user's own.</summary>
    public string Folder(ParseResult parsed, CommandContext context) => FolderOrNull(parsed, context) ?? Path.Combine(
        context.Environment("XDG_STATE_HOME") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "state"), "mmcluster");

    /// <summary>A silo's options with what is said here.</summary>
    public MmSiloOptions Silo(ParseResult parsed, CommandContext context, string folder) =>
        (MmSiloOptions)Fill(new MmSiloOptions { ClusterSecret = Secret(parsed, context, folder) }, parsed, context, folder);

    /// <summary>A client's options with what is said here.</summary>
    public MmClientOptions Client(ParseResult parsed, CommandContext context, string folder) =>
        (MmClientOptions)Fill(new MmClientOptions { ClusterSecret = Secret(parsed, context, folder) }, parsed, context, folder);

    private MmProcessOptions Fill(MmProcessOptions options, ParseResult parsed, CommandContext context, string folder) => options with
    {
        ClusterId = parsed.GetRequiredValue(_id),
        ClusterFolder = folder,
        CardsFolder = context.Cards,
        Orleans = context.EnvironmentNames(OrleansPrefix).ToDictionary(
            name => name[OrleansPrefix.Length..].Replace("__", ":", StringComparison.Ordinal), context.Environment, StringComparer.OrdinalIgnoreCase),
        TensorLinkPort = parsed.GetValue(_linkPort),
        TensorLinkBytes = parsed.GetValue(_linkBytes) ?? options.TensorLinkBytes,
    };

    private string Secret(ParseResult parsed, CommandContext context, string folder) =>
        parsed.GetValue(_secret) ?? context.Environment("MM_CLUSTER_SECRET")
        ?? (context.EnvironmentNames(ClusteringProvider).Any()
            ? throw new MmException(
                MmErrorCode.InvalidArgument, $"name the cluster's secret (--cluster-secret, MM_CLUSTER_SECRET): with {ClusteringProvider} the processes share no folder that keeps one")
            : KeptSecret.Of(folder));
}
