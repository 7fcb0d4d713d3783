namespace MmCluster.Gateway.Hosting;

/// <summary>How a gateway listens and what it accepts.</summary>
public sealed record GatewayOptions
{
    /// <summary>Address to listen on. Default: this machine only.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>TCP port; 0 picks a free one.</summary>
    public int Port { get; init; } = 8000;

    /// <summary>Bearer token that requests must carry; null accepts any.</summary>
    public string? ApiKey { get; init; }

    /// <summary>Longest request body in bytes, media included. Default 64 MiB.</summary>
    public long MaxRequestBytes { get; init; } = 64L << 20;

    /// <summary>When a request is given up; null is never.</summary>
    public TimeSpan? RequestTimeout { get; init; }

    /// <summary>How long running requests may go on after a stop was asked for.</summary>
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(30);
}
