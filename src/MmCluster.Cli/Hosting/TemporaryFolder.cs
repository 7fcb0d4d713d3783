namespace MmCluster.Cli.Hosting;

/// <summary>A folder that is there until this is disposed; made when it is first asked for.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private string? _path;

    public string Path => _path ??= Directory.CreateTempSubdirectory("mm-").FullName;

    public void Dispose()
    {
        if (_path is not null)
        {
            Directory.Delete(_path, recursive: true);
        }
    }
}
