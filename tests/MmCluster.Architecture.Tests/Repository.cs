namespace MmCluster.Architecture.Tests;

internal static class Repository
{
    /// <summary>The folder that holds MmCluster.sln.</summary>
    // Walked up from the binaries: under CI=true deterministic paths make [CallerFilePath] useless.
    public static string Root { get; } = Find();

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
