using System.Security.Cryptography;
using MmCluster.Models;

namespace MmCluster.Gateway.Uploads;

/// <summary>
/// Media that clients sent ahead, in memory: each upload has an id that stands for its bytes until it expires. Bytes count from the moment
/// they arrive, so that many unfinished uploads cannot take more than <paramref name="maxBytes"/>. Safe to call from any thread.
/// </summary>
/// <param name="maxBytes">Bytes of all uploads together, unfinished ones included.</param>
/// <param name="lifetime">How long an upload lives after its end, and how long it may take.</param>
/// <param name="time">The clock.</param>
internal sealed class UploadStore(long maxBytes, TimeSpan lifetime, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Upload> _uploads = [];
    private readonly Queue<string> _byAge = []; // all live equally long, so the first to come is the first to go
    private long _used;

    /// <summary>How long an upload may take, and lives afterwards.</summary>
    public TimeSpan Lifetime => lifetime;

    /// <summary>Bytes held, unfinished uploads included.</summary>
    public long UsedBytes
    {
        get
        {
            lock (_gate)
            {
                Sweep();
                return _used;
            }
        }
    }

    /// <summary>Counts bytes of an upload that is still coming in.</summary>
    /// <exception cref="MmException">ResourceExhausted when the store is full.</exception>
    public void Reserve(long bytes)
    {
        lock (_gate)
        {
            Sweep();
            if (bytes > maxBytes - _used)
            {
                throw new MmException(MmErrorCode.ResourceExhausted, $"uploads may hold {maxBytes} bytes at once, and {_used} are held; try again later")
                {
                    RetryAfter = _byAge.TryPeek(out string? oldest) ? _uploads[oldest].Expires - time.GetUtcNow() : lifetime,
                };
            }
            _used += bytes;
        }
    }

    /// <summary>Takes back what <see cref="Reserve"/> counted, of an upload that failed.</summary>
    public void Release(long bytes)
    {
        lock (_gate)
        {
            _used -= bytes;
        }
    }

    /// <summary>Keeps an upload whose bytes are reserved.</summary>
    public Upload Keep(byte[] bytes, string tenant)
    {
        var upload = new Upload("upload-" + RandomNumberGenerator.GetHexString(32, lowercase: true), tenant, bytes, time.GetUtcNow() + lifetime);
        lock (_gate)
        {
            _uploads.Add(upload.Id, upload);
            _byAge.Enqueue(upload.Id);
        }
        return upload;
    }

    /// <summary>The tenant's upload with that id, or null when there is none (any more).</summary>
    public Upload? Find(string id, string tenant)
    {
        lock (_gate)
        {
            Sweep();
            return _uploads.TryGetValue(id, out Upload? upload) && upload.Tenant == tenant ? upload : null;
        }
    }

    private void Sweep()
    {
        DateTimeOffset now = time.GetUtcNow();
        while (_byAge.TryPeek(out string? oldest) && _uploads[oldest].Expires <= now)
        {
            _byAge.Dequeue();
            _uploads.Remove(oldest, out Upload? gone);
            _used -= gone!.Bytes.Length;
        }
    }
}

/// <summary>Bytes that a client sent ahead.</summary>
/// <param name="Id">What requests call it.</param>
/// <param name="Tenant">Whose it is.</param>
/// <param name="Bytes">The file.</param>
/// <param name="Expires">When it is forgotten.</param>
internal sealed record Upload(string Id, string Tenant, ReadOnlyMemory<byte> Bytes, DateTimeOffset Expires);
