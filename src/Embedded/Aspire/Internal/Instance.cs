using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Internal;

internal enum InstanceState
{
    Waiting,
    Running,
    Exited,
    Failed,
}

/// <summary>One process of a resource, from its wait to its exit. Written by its own runner, read by others and the status page.</summary>
internal sealed class Instance(IResource resource, int index, string name)
{
    private const int KeptLines = 500;

    private readonly Queue<string> _log = [];

    public IResource Resource => resource;

    /// <summary>Which replica this is, from 0.</summary>
    public int Index => index;

    /// <summary>The resource's name, with the replica's number when there are several.</summary>
    public string Name => name;

    public InstanceState State { get; set; }

    /// <summary>The process and its group; null before the start and once the group is gone.</summary>
    public int? ProcessId { get; set; }

    public int? ExitCode { get; set; }

    /// <summary>Null without health checks.</summary>
    public bool? Healthy { get; set; }

    /// <summary>Why it did not start, or null.</summary>
    public string? Problem { get; set; }

    /// <summary>Ends when the process runs and, if it has health checks, is healthy.</summary>
    public TaskCompletionSource Ready { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends with the exit code, or null when it did not start.</summary>
    public TaskCompletionSource<int?> Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Keep(string line)
    {
        lock (_log)
        {
            if (_log.Count == KeptLines)
            {
                _log.Dequeue();
            }
            _log.Enqueue(line);
        }
    }

    public string[] Log()
    {
        lock (_log)
        {
            return [.. _log];
        }
    }
}
