using System.Xml.Linq;

namespace MmCluster.Architecture.Tests;

/// <summary>The arrows of docs/architecture.md, read from the project files so that an unused reference counts too.</summary>
public sealed class ReferenceDirectionTests
{
    // Each project may reference the projects named here and nothing else of ours.
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["MmCluster.Tensors"] = [],
        ["MmCluster.Tokenizers"] = [],
        ["MmCluster.Media"] = [],
        ["MmCluster.Models"] = ["MmCluster.Tensors", "MmCluster.Tokenizers", "MmCluster.Media"],
        ["MmCluster.Engine"] = ["MmCluster.Models"],
        ["MmCluster.Cluster.LocalStorage"] = ["MmCluster.Embedded.Orleans"],
        ["MmCluster.Embedded.Orleans"] = ["MmCluster.Embedded.Orleans.Generator"],
        ["MmCluster.Embedded.Orleans.Generator"] = [],
        ["MmCluster.Embedded.Grpc.Core"] = [],
        ["MmCluster.Embedded.Grpc.Server"] = ["MmCluster.Embedded.Grpc.Core"],
        ["MmCluster.Embedded.Grpc.Client"] = ["MmCluster.Embedded.Grpc.Core"],
        ["MmCluster.Embedded.Aspire"] = [],
        ["MmCluster.Protos"] = ["MmCluster.Embedded.GrpcApi"],
        ["MmCluster.Cluster"] = ["MmCluster.Engine", "MmCluster.Cluster.LocalStorage", "MmCluster.Embedded.Orleans"],
        ["MmCluster.Client"] = ["MmCluster.Protos", "MmCluster.Embedded.GrpcApi", "MmCluster.Embedded.GrpcClient"],
        ["MmCluster.Gateway"] = ["MmCluster.Cluster", "MmCluster.Protos", "MmCluster.Embedded.GrpcApi", "MmCluster.Embedded.GrpcServer"],
        ["MmCluster.Silo"] = ["MmCluster.Cluster", "MmCluster.Embedded.Orleans"],
        ["MmCluster.Cli"] = ["MmCluster.Engine", "MmCluster.Gateway", "MmCluster.Silo", "MmCluster.Client", "MmCluster.Embedded.GrpcClient"],
    };

    [Fact]
    public void Source_projects_reference_only_what_lies_below_them()
    {
        string[] wrong = [.. Projects().SelectMany(project => References(project)
            .Where(reference => !AllowedFor(project.Name).Contains(reference))
            .Select(reference => $"{project.Name} -> {reference}"))];
        Assert.Empty(wrong);
    }

    [Fact]
    public void Every_source_project_is_in_the_table() =>
        Assert.Equal(Allowed.Keys.Order(), Projects().Select(project => project.Name).Order());

    private static string[] AllowedFor(string name) => Allowed.GetValueOrDefault(name, []);

    private static IEnumerable<(string Name, string Path)> Projects() =>
        Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories)
            .Select(path => (Path.GetFileNameWithoutExtension(path), path));

    private static IEnumerable<string> References((string Name, string Path) project)
    {
        XDocument file = XDocument.Load(project.Path);
        return file.Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')))
            .Concat(file.Descendants("Providers").SelectMany(providers => providers.Value.Split(';', StringSplitOptions.TrimEntries))
                .Select(provider => $"MmCluster.Embedded.{provider}")); // Packages.props turns them into references
    }
}
