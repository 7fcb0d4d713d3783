namespace MmCluster.Models.Hub;

/// <summary>An answer to a request for a file, its body not yet read.</summary>
/// <param name="Message">The last answer after redirects; disposing this disposes it.</param>
/// <param name="Digest">The content's digest by the hub's own headers, never by another host's; null if it gave none.</param>
/// <param name="Size">Bytes of the whole file; null if not told.</param>
internal sealed record HubResponse(HttpResponseMessage Message, HubDigest? Digest, long? Size) : IDisposable
{
    public void Dispose() => Message.Dispose();
}
