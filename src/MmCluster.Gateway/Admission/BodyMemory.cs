using MmCluster.Models;

namespace MmCluster.Gateway.Admission;

/// <summary>
/// The bytes that all requests' bodies may hold at once: bodies are read before a request is admitted, so that many large ones could
/// otherwise fill the memory. Safe to call from any thread.
/// </summary>
internal sealed class BodyMemory(long maxBytes)
{
    private long _used;

    /// <summary>Bytes held now.</summary>
    public long Used => Interlocked.Read(ref _used);

    /// <exception cref="MmException">Unavailable, with when to retry, when they would be too many.</exception>
    public void Take(long bytes)
    {
        if (Interlocked.Add(ref _used, bytes) > maxBytes)
        {
            Give(bytes);
            throw new MmException(MmErrorCode.Unavailable, "too many large requests are being read; try again later")
            {
                RetryAfter = TimeSpan.FromSeconds(1),
            };
        }
    }

    public void Give(long bytes) => Interlocked.Add(ref _used, -bytes);
}
