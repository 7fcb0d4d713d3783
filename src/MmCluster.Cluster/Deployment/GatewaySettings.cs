namespace MmCluster.Cluster.Deployment;

/// <summary>How gateways listen and what they bear; null leaves it to the gateway's default.</summary>
public sealed record GatewaySettings
{
    /// <summary>Address to listen on.</summary>
    public string? Host { get; init; }

    /// <summary>TCP port of HTTP and gRPC.</summary>
    public int? Port { get; init; }

    /// <summary>One more port, for gRPC alone.</summary>
    public int? GrpcPort { get; init; }

    /// <summary>Cost units of a model at once, over all its replicas.</summary>
    public int? MaxQueue { get; init; }

    /// <summary>Choices of a model computed at once, over all its replicas.</summary>
    public int? MaxRunning { get; init; }

    /// <summary>Longest request body in bytes.</summary>
    public long? MaxRequestBytes { get; init; }

    /// <summary>When a request is given up.</summary>
    public TimeSpan? RequestTimeout { get; init; }

    /// <summary>How long requests may go on after a stop was asked for.</summary>
    public TimeSpan? ShutdownTimeout { get; init; }

    /// <summary>Hosts that media URLs may name.</summary>
    public IReadOnlyList<string> AllowedMediaDomains { get; init; } = [];

    /// <summary>The keys whose values differ from <paramref name="other"/>'s.</summary>
    internal IReadOnlyList<string> Differences(GatewaySettings other)
    {
        (string Key, bool Same)[] compared =
        [
            ("host", Host == other.Host),
            ("port", Port == other.Port),
            ("grpc_port", GrpcPort == other.GrpcPort),
            ("max_queue", MaxQueue == other.MaxQueue),
            ("max_running", MaxRunning == other.MaxRunning),
            ("max_request_bytes", MaxRequestBytes == other.MaxRequestBytes),
            ("request_timeout", RequestTimeout == other.RequestTimeout),
            ("shutdown_timeout", ShutdownTimeout == other.ShutdownTimeout),
            ("allowed_media_domains", AllowedMediaDomains.SequenceEqual(other.AllowedMediaDomains)),
        ];
        return [.. compared.Where(one => !one.Same).Select(one => $"gateway.{one.Key}")];
    }
}
