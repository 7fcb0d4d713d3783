namespace MmCluster.Gateway.Media;

/// <summary>A media address is refused or gave nothing usable. The message goes to the client: it must tell nothing of the inner network.</summary>
internal sealed class MediaRefusedException(string message, Exception? inner = null) : Exception(message, inner);
