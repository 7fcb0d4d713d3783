using System.Diagnostics;
using System.Text;

[assembly: CollectionBehavior(DisableTestParallelization = true)] // the console is one

namespace MmCluster.Embedded.Aspire.Tests;

/// <summary>A folder of named pipes: a read ends when the last process that holds the pipe has gone.</summary>
internal sealed class Scratch : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("mm-apphost-");

    public string Folder => _folder.FullName;

    public string NewPipe(string name)
    {
        string path = Path.Combine(Folder, name);
        using Process mkfifo = Process.Start("mkfifo", [path]);
        mkfifo.WaitForExit();
        Assert.Equal(0, mkfifo.ExitCode);
        return path;
    }

    /// <summary>Opens a pipe for reading, which waits for its writer.</summary>
    public static Task<StreamReader> OpenAsync(string pipe) => Task.Run(() => new StreamReader(pipe));

    public static async Task<string> ReadAllAsync(string pipe)
    {
        using StreamReader reader = await OpenAsync(pipe);
        return await reader.ReadToEndAsync();
    }

    public void Dispose() => _folder.Delete(recursive: true);
}

/// <summary>Stands in for the console and lets tests wait for a line.</summary>
internal sealed class ConsoleLines : TextWriter
{
    private readonly TextWriter _before = Console.Out;
    private readonly List<string> _lines = [];
    private readonly List<(Func<string, bool> Wanted, TaskCompletionSource<string> Found)> _waits = [];

    public ConsoleLines() => Console.SetOut(this);

    public override Encoding Encoding => Encoding.UTF8;

    public string[] Lines
    {
        get
        {
            lock (_lines)
            {
                return [.. _lines];
            }
        }
    }

    public Task<string> LineAsync(string part)
    {
        lock (_lines)
        {
            if (_lines.FirstOrDefault(line => line.Contains(part, StringComparison.Ordinal)) is { } there)
            {
                return Task.FromResult(there);
            }
            var found = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            _waits.Add((line => line.Contains(part, StringComparison.Ordinal), found));
            return found.Task;
        }
    }

    public override void WriteLine(string? value)
    {
        lock (_lines)
        {
            _lines.Add(value!);
            foreach ((Func<string, bool> wanted, TaskCompletionSource<string> found) in _waits)
            {
                if (wanted(value!))
                {
                    found.TrySetResult(value!);
                }
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        Console.SetOut(_before);
        base.Dispose(disposing);
    }
}
