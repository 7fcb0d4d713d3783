namespace MmCluster.Engine.Tests;

/// <summary>Finds files of the repository from where the tests were built to.</summary>
internal static class RepositoryRoot
{
    public static string Path(string relative)
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "MmCluster.sln")))
            {
                return System.IO.Path.Combine(folder.FullName, relative);
            }
        }
        throw new InvalidOperationException("no MmCluster.sln above the tests");
    }
}
