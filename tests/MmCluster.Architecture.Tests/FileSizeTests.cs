namespace MmCluster.Architecture.Tests;

public sealed class FileSizeTests
{
    private const int MostLines = 400;

    [Fact]
    public void No_source_file_has_outgrown_one_idea()
    {
        string[] tooLong = [.. Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Select(path => (Path: Path.GetRelativePath(Repository.Root, path), Lines: File.ReadLines(path).Count()))
            .Where(file => file.Lines > MostLines)
            .Select(file => $"{file.Path}: {file.Lines} lines; split it by responsibility")];
        Assert.Empty(tooLong);
    }
}
