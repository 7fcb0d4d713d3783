namespace MmCluster.Gateway.Media;

/// <summary>The media bytes that one request may hold. Safe to call from any thread.</summary>
internal sealed class MediaBudget(long maxBytes)
{
    private long _used;

    public long Left => maxBytes - Interlocked.Read(ref _used);

    /// <exception cref="MediaRefusedException">Fewer are left.</exception>
    public void Take(long bytes)
    {
        if (Interlocked.Add(ref _used, bytes) > maxBytes)
        {
            throw Over();
        }
    }

    public MediaRefusedException Over() => new($"media of this request are over {maxBytes} bytes");
}
