using System.Security.Cryptography;
using System.Text;
using Orleans.Storage;

namespace MmCluster.Cluster.LocalStorage;

/// <summary>Grain states on one machine: a JSON file a grain and state, with an etag that every write checks and renews.</summary>
public sealed class LocalGrainStorage : IGrainStorage
{
    private readonly LocalFolder _folder;
    private readonly string _name;

    /// <summary>A storage named <paramref name="name"/> below <paramref name="folder"/>.</summary>
    public LocalGrainStorage(string folder, string name, TimeProvider time)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        _folder = new LocalFolder(folder, time);
        _name = name;
    }

    /// <inheritdoc/>
    public async Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        Record<T>? record = await _folder.ReadAsync<Record<T>>(FileOf(stateName, grainId));
        grainState.RecordExists = record is not null;
        grainState.ETag = record?.Etag;
        grainState.State = record is null ? Empty<T>() : record.State!;
    }

    /// <inheritdoc/>
    public async Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        string file = FileOf(stateName, grainId);
        using IDisposable held = await _folder.LockAsync(file);
        await CheckAsync(file, grainId, grainState);
        string etag = Guid.NewGuid().ToString("N");
        await _folder.WriteAsync(file, new Record<T> { Grain = grainId.ToString(), Etag = etag, State = grainState.State }, durable: true);
        grainState.ETag = etag;
        grainState.RecordExists = true;
    }

    /// <inheritdoc/>
    public async Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        string file = FileOf(stateName, grainId);
        using IDisposable held = await _folder.LockAsync(file);
        await CheckAsync(file, grainId, grainState);
        _folder.Delete(file);
        grainState.ETag = null;
        grainState.RecordExists = false;
        grainState.State = Empty<T>();
    }

    private static T Empty<T>() => typeof(T).IsAbstract || typeof(T).IsArray || typeof(T) == typeof(string) ? default! : Activator.CreateInstance<T>();

    // Keys are anything, file names are not: a readable start and a hash of the whole.
    private string FileOf(string stateName, GrainId grain)
    {
        string id = $"{stateName}/{grain}";
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)).AsSpan(0, 16));
        string readable = string.Concat(id.Take(60).Select(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.' ? letter : '_'));
        return Path.Combine($"state-{Uri.EscapeDataString(_name)}", $"{readable}-{hash}.json");
    }

    private async Task CheckAsync<T>(string file, GrainId grain, IGrainState<T> state)
    {
        string? stored = (await _folder.ReadAsync<EtagOnly>(file))?.Etag;
        if (stored != state.ETag)
        {
            throw new InconsistentStateException($"The state of {grain} was changed by someone else.", stored ?? "none", state.ETag ?? "none");
        }
    }

    private sealed class Record<T>
    {
        public string Grain { get; set; } = "";

        public string Etag { get; set; } = "";

        public T? State { get; set; }
    }

    private sealed class EtagOnly
    {
        public string Etag { get; set; } = "";
    }
}
