using System.Text.Json;

namespace MmCluster.Cluster.LocalStorage;

/// <summary>
/// Files that several processes of one machine share. Writers take a lock file, which the system frees when its holder
/// dies; a file is replaced as a whole by a rename, so that readers need no lock and see one version or the next.
/// </summary>
internal sealed class LocalFolder(string folder, TimeProvider time)
{
    private static readonly TimeSpan LockTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMilliseconds(20);
    private static readonly JsonSerializerOptions Json = new() { IncludeFields = true };

    /// <summary>The path of a file in the folder.</summary>
    public string PathOf(string name) => Path.Combine(folder, name);

    /// <summary>Takes the lock of a file; dispose of it to give it back.</summary>
    /// <exception cref="TimeoutException">Someone else kept it for too long.</exception>
    public async Task<IDisposable> LockAsync(string name)
    {
        string path = PathOf(name) + ".lock";
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        long start = time.GetTimestamp();
        for (TimeSpan delay = FirstDelay; ; delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
            }
            catch (IOException) when (time.GetElapsedTime(start) < LockTimeout)
            {
                await Task.Delay(delay, time);
            }
            catch (IOException error)
            {
                throw new TimeoutException($"The lock {path} was held by another process for {LockTimeout}.", error);
            }
        }
    }

    /// <summary>Reads a file; null where there is none.</summary>
    /// <exception cref="InvalidDataException">The file is not what was written.</exception>
    public async Task<T?> ReadAsync<T>(string name)
        where T : class
    {
        string path = PathOf(name);
        try
        {
            await using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return await JsonSerializer.DeserializeAsync<T>(file, Json);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path} is damaged: {error.Message} Remove it to start anew.", error);
        }
    }

    /// <summary>Replaces a file; the caller holds its lock.</summary>
    public async Task WriteAsync<T>(string name, T content, bool durable)
    {
        string path = PathOf(name);
        string temporary = path + ".tmp"; // what a killed writer left is written over: the lock is ours
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await using (FileStream file = new(temporary, FileMode.Create, FileAccess.Write))
        {
            await JsonSerializer.SerializeAsync(file, content, Json);
            file.Flush(durable);
        }
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Removes a file; the caller holds its lock.</summary>
    public void Delete(string name) => File.Delete(PathOf(name));
}
