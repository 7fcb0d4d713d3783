using System.Security.Cryptography;
using System.Text;

namespace MmCluster.Models.Hub;

/// <summary>
/// A file on its way: it grows beside the model's files and is moved to its place when it is whole and its digest is right. Its name
/// holds path and digest, so what an earlier attempt left of the same content is continued and of other content is not.
/// </summary>
internal sealed class PartialFile : IAsyncDisposable
{
    private readonly HubDigest? _digest;
    private readonly long? _size;
    private readonly FileStream _file;
    private IncrementalHash? _hash;

    private PartialFile(string path, HubDigest? digest, long? size)
    {
        _digest = digest;
        _size = size;
        _hash = digest is not null && (digest.IsSha256 || size is not null) ? digest.Start(size ?? 0) : null;
        _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 0, FileOptions.Asynchronous);
    }

    /// <summary>Bytes that are here.</summary>
    public long Length => _file.Position;

    /// <summary>The most bytes that were ever here: an attempt that does not pass it has achieved nothing.</summary>
    public long HighWater { get; private set; }

    /// <summary>Opens what an earlier attempt left, or a new file.</summary>
    /// <param name="stateFolder">Where partial files are.</param>
    /// <param name="file">The file; without a digest nothing is continued.</param>
    /// <param name="stop">Ends the reading of what is there.</param>
    public static async Task<PartialFile> OpenAsync(string stateFolder, HubFile file, CancellationToken stop)
    {
        string key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{file.Path}\0{file.Digest?.Hex}")))[..32];
        var partial = new PartialFile(Path.Combine(stateFolder, key + ".partial"), file.Digest, file.Size);
        try
        {
            if (partial._hash is null || partial._file.Length > file.Size)
            {
                partial.Restart();
            }
            byte[] buffer = new byte[1 << 20];
            while (await partial._file.ReadAsync(buffer, stop) is > 0 and int read)
            {
                partial._hash!.AppendData(buffer, 0, read);
            }
            partial.HighWater = partial.Length;
            return partial;
        }
        catch
        {
            await partial.DisposeAsync();
            throw;
        }
    }

    /// <summary>Appends bytes.</summary>
    public async Task AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken stop)
    {
        await _file.WriteAsync(bytes, stop);
        _hash?.AppendData(bytes.Span);
        HighWater = Math.Max(HighWater, Length);
    }

    /// <summary>Drops what is here.</summary>
    public void Restart()
    {
        _file.SetLength(0);
        _file.Position = 0;
        _hash?.Dispose();
        _hash = _hash is null ? null : _digest!.Start(_size ?? 0);
    }

    /// <summary>Checks the digest and moves the file to its place. The partial file is gone afterwards either way.</summary>
    /// <param name="target">Where it belongs.</param>
    /// <returns>Whether the digest was right, or none is known.</returns>
    public async Task<bool> FinishAsync(string target)
    {
        bool right = _hash is null || Convert.ToHexStringLower(_hash.GetHashAndReset()) == _digest!.Hex;
        await _file.FlushAsync(CancellationToken.None); // whole: an end now would only throw work away
        string path = _file.Name;
        await DisposeAsync();
        if (right)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Move(path, target, overwrite: true);
        }
        else
        {
            File.Delete(path);
        }
        return right;
    }

    public ValueTask DisposeAsync()
    {
        _hash?.Dispose();
        return _file.DisposeAsync();
    }
}
