namespace MmCluster.Models.Tests;

internal static class Repository
{
    /// <summary>The folder that holds MmCluster.sln.</summary>
    public static string Root { get; } = Find();

    /// <summary>A golden case of tests/goldens.</summary>
    public static string Golden(string name) => Path.Combine(Root, "tests", "goldens", name);

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "MmCluster.sln")))
            {
                return folder.FullName;
            }
        }
        throw new InvalidOperationException($"no MmCluster.sln above {AppContext.BaseDirectory}");
    }
}
