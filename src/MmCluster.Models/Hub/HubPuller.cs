using System.Collections.Concurrent;

namespace MmCluster.Models.Hub;

/// <summary>
/// Fetches models from a hub into a local store. A model's files grow in the hidden folder <c>.mm-pull</c> inside its folder and are moved to
/// their places when their digests are right; a pull that was interrupted is continued by the next one. Thread-safe; dispose it once.
/// </summary>
public sealed class HubPuller : IDisposable
{
    private readonly HubClient _client;
    private readonly LocalStore _store;
    private readonly TimeProvider _time;

    /// <summary>A puller.</summary>
    /// <param name="store">Where models go.</param>
    /// <param name="options">Where they come from; by default what HF_ENDPOINT and HF_TOKEN say.</param>
    /// <param name="time">The clock of retries and stalls; by default the system's.</param>
    public HubPuller(LocalStore store, HubOptions? options = null, TimeProvider? time = null)
    {
        _store = store;
        _client = new HubClient(options ?? HubOptions.FromEnvironment());
        _time = time ?? TimeProvider.System;
    }

    /// <summary>Bytes free where a path lies; tests replace it.</summary>
    internal Func<string, long> FreeBytes { get; init; } = path => new DriveInfo(path).AvailableFreeSpace;

    /// <summary>Fetches a model, or what is missing of it.</summary>
    /// <param name="id">The model.</param>
    /// <param name="revision">A branch, tag or commit. Default main.</param>
    /// <param name="select">Which of its files; by default <see cref="HubSelection.Usual"/>.</param>
    /// <param name="progress">Told at the start, about every MiB and at the end of each file; from any thread.</param>
    /// <param name="stop">Ends the pull; what is here is kept for the next.</param>
    /// <exception cref="MmException">
    /// NotFound, Unauthenticated, PermissionDenied or ResourceExhausted (the hub's answer, or no space on the disk), AlreadyExists (another
    /// pull of the model is running), Unavailable (the hub cannot be reached, or sends what it should not).
    /// </exception>
    public async Task<PullResult> PullAsync(
        HubModelId id,
        string revision = "main",
        Func<IReadOnlyList<HubFile>, IReadOnlyList<HubFile>>? select = null,
        IProgress<PullProgress>? progress = null,
        CancellationToken stop = default)
    {
        var retry = new HubRetry(_client.Options.MaxAttempts, _time);
        HubSnapshot snapshot = await retry.RunAsync($"{id}", token => ListAsync(id, revision, token), () => 0, stop);
        IReadOnlyList<HubFile> files = (select ?? HubSelection.Usual)(snapshot.Files);
        if (files.Count == 0)
        {
            throw new MmException(MmErrorCode.NotFound, $"{id} at {revision} has no files to fetch");
        }
        string folder = _store.FolderOf(id);
        try
        {
            return await FetchAsync(snapshot, files, folder, new PullState(files, progress), stop);
        }
        catch (IOException error) when (HubErrors.IsDiskFull(error))
        {
            throw new MmException(MmErrorCode.ResourceExhausted, $"{id}: no space left at {folder}; what was fetched is kept: make room, then pull again", error);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new MmException(MmErrorCode.PermissionDenied, $"{id}: {error.Message}", error);
        }
    }

    private async Task<HubSnapshot> ListAsync(HubModelId id, string revision, CancellationToken stop)
    {
        using var stall = new CancellationTokenSource(_client.Options.StallTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, stall.Token);
        try
        {
            return await _client.ListAsync(id, revision, either.Token);
        }
        catch (OperationCanceledException) when (stall.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            throw new TimeoutException($"{_client.Options.Endpoint.Authority} does not answer");
        }
    }

    private async Task<PullResult> FetchAsync(
        HubSnapshot snapshot, IReadOnlyList<HubFile> files, string folder, PullState state, CancellationToken stop)
    {
        string stateFolder = Path.Combine(folder, HubPath.StateFolder);
        Directory.CreateDirectory(stateFolder);
        using FileStream held = Lock(snapshot.Id, stateFolder);
        PullManifest? before = PullManifest.TryRead(folder);
        var digests = new ConcurrentDictionary<string, string>(before?.Digests ?? new Dictionary<string, string>());
        CheckSpace(snapshot.Id, files, folder, stateFolder);
        var manifest = new PullManifest { Model = $"{snapshot.Id}", Commit = snapshot.Commit, Complete = false, Digests = digests };
        manifest.Write(folder);
        var download = new FileDownload(_client, snapshot, folder, state, _time);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = _client.Options.Parallelism, CancellationToken = stop };
        try
        {
            await Parallel.ForEachAsync(files, parallel, async (file, token) =>
            {
                digests.TryRemove(file.Path, out string? known); // not to be believed should this end in the middle
                if (await download.RunAsync(file, known, token) is { } digest)
                {
                    digests[file.Path] = digest.Hex;
                }
            });
        }
        finally
        {
            (manifest with { Digests = new SortedDictionary<string, string>(digests, StringComparer.Ordinal) }).Write(folder);
        }
        (manifest with { Complete = true, Digests = new SortedDictionary<string, string>(digests, StringComparer.Ordinal) }).Write(folder);
        foreach (string left in Directory.EnumerateFiles(stateFolder, "*.partial")) // of commits that are no longer wanted
        {
            File.Delete(left);
        }
        return new PullResult(folder, snapshot.Commit, files.Count, state.Fetched);
    }

    private static FileStream Lock(HubModelId id, string stateFolder)
    {
        try
        {
            return new FileStream(Path.Combine(stateFolder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error) when (!HubErrors.IsDiskFull(error))
        {
            throw new MmException(MmErrorCode.AlreadyExists, $"{id}: another pull of this model is running", error);
        }
    }

    private void CheckSpace(HubModelId id, IReadOnlyList<HubFile> files, string folder, string stateFolder)
    {
        long here = files.Sum(file => new FileInfo(HubPath.Resolve(folder, file.Path)) is { Exists: true } found ? Math.Min(found.Length, file.Size ?? 0) : 0)
            + Directory.EnumerateFiles(stateFolder, "*.partial").Sum(path => new FileInfo(path).Length);
        long needed = files.Sum(file => file.Size ?? 0) - here;
        long free = FreeBytes(folder);
        if (needed > free)
        {
            throw new MmException(MmErrorCode.ResourceExhausted, $"{id}: needs {needed >> 20} MiB more at {folder}, {free >> 20} MiB are free");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();
}
