using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace MmCluster.Gateway.Hosting;

/// <summary>What one connection may cost: sizes are bounded, and a peer that trickles is cut off.</summary>
internal static class KestrelLimits
{
    private const int MinBytesPerSecond = 240;
    private const int MaxHeaderBytes = 16 << 10;
    private const int MaxHeaders = 64;

    public static void Apply(KestrelServerLimits limits, GatewayOptions options)
    {
        limits.MaxRequestBodySize = options.MaxRequestBytes;
        limits.MaxConcurrentConnections = options.MaxConnections;
        limits.MaxRequestHeadersTotalSize = MaxHeaderBytes;
        limits.MaxRequestHeaderCount = MaxHeaders;
        limits.RequestHeadersTimeout = options.RequestHeadersTimeout;
        limits.MinRequestBodyDataRate = new MinDataRate(MinBytesPerSecond, options.BodyGracePeriod);
        // Slow readers of a stream are the slow-client rule's; this is for those that do not take even a buffered answer.
        limits.MinResponseDataRate = new MinDataRate(MinBytesPerSecond, Admission.SlowClient.Patience);
        limits.Http2.MaxStreamsPerConnection = 256;
        limits.Http2.MaxRequestHeaderFieldSize = MaxHeaderBytes;
        limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);
    }
}
