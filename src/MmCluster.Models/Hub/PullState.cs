using System.Collections.Concurrent;

namespace MmCluster.Models.Hub;

/// <summary>Adds up the progress of files that are fetched at the same time. Thread-safe.</summary>
internal sealed class PullState(IReadOnlyList<HubFile> files, IProgress<PullProgress>? progress)
{
    private readonly ConcurrentDictionary<string, long> _done = new(StringComparer.Ordinal);
    private readonly long _total = files.Sum(file => file.Size ?? 0);
    private int _filesDone;
    private long _fetched;

    /// <summary>Bytes that came over the network.</summary>
    public long Fetched => Interlocked.Read(ref _fetched);

    public void AddFetched(int bytes) => Interlocked.Add(ref _fetched, bytes);

    public void Report(HubFile file, long done, bool complete = false)
    {
        _done[file.Path] = done;
        int filesDone = complete ? Interlocked.Increment(ref _filesDone) : Volatile.Read(ref _filesDone);
        progress?.Report(new PullProgress(file.Path, done, file.Size, _done.Values.Sum(), _total, filesDone, files.Count));
    }
}
