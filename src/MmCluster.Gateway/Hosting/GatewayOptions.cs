using MmCluster.Cluster.Deployment;
using MmCluster.Gateway.Clustering;
using MmCluster.Gateway.Media;

namespace MmCluster.Gateway.Hosting;

/// <summary>How a gateway listens and what it accepts.</summary>
public sealed record GatewayOptions
{
    /// <summary>Address to listen on. Default: this machine only.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>TCP port of the HTTP routes and of the gRPC services (HTTP/2 without TLS, by prior knowledge); 0 picks a free one.</summary>
    public int Port { get; init; } = 8000;

    /// <summary>One more port, for HTTP/2 alone, where gRPC is to be routed apart; 0 picks a free one. Null (the default) is none.</summary>
    public int? GrpcPort { get; init; }

    /// <summary>Bearer token that requests must carry, without limits; with neither this nor <see cref="Keys"/>, any is accepted.</summary>
    public string? ApiKey { get; init; }

    /// <summary>Keys with tenants and limits.</summary>
    public IReadOnlyList<KeyGrant> Keys { get; init; } = [];

    /// <summary>
    /// Cost units of each model's requests in flight (a choice is 1, a media item 1); more get 503. Null leaves it to the model's engine.
    /// </summary>
    public int? MaxQueue { get; init; }

    /// <summary>
    /// Choices that each model computes at once; what comes beyond waits here, tenants taking turns, until others end. Null leaves the waiting
    /// to the model's engine, whose queue is fair among what it was given.
    /// </summary>
    public int? MaxRunning { get; init; }

    /// <summary>
    /// Hosts that media URLs may name: <c>example.com</c>, <c>*.example.com</c> for those below it, <c>*</c> for all. Default none: media are
    /// not fetched. Addresses that are not of the public internet are refused whatever stands here.
    /// </summary>
    public IReadOnlyList<string> AllowedMediaDomains { get; init; } = [];

    /// <summary>Ports that media URLs may name beside their scheme's own.</summary>
    public IReadOnlyList<int> AllowedMediaPorts { get; init; } = [];

    /// <summary>How long one media URL may take, redirects included. Default 10 s.</summary>
    public TimeSpan MediaFetchTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a client may take for a request's headers. Default 10 s.</summary>
    public TimeSpan RequestHeadersTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a client may stay below the slowest rate at which a body may come. Default 5 s.</summary>
    public TimeSpan BodyGracePeriod { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Connections at once; more are closed. Default 8,192.</summary>
    public int MaxConnections { get; init; } = 8192;

    /// <summary>Longest request body in bytes, media included. Default 64 MiB.</summary>
    public long MaxRequestBytes { get; init; } = 64L << 20;

    /// <summary>Bytes that uploads may hold in memory at once. Default 256 MiB.</summary>
    public long MaxUploadBytes { get; init; } = 256L << 20;

    /// <summary>How long an upload is kept after its end, and how long it may take. Default 10 minutes.</summary>
    public TimeSpan UploadLifetime { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Bytes that the bodies of all HTTP requests may hold at once; more get 503. Default 2 GiB.</summary>
    public long MaxBodyMemory { get; init; } = 2L << 30;

    /// <summary>When a request is given up; null is never.</summary>
    public TimeSpan? RequestTimeout { get; init; }

    /// <summary>How long running requests may go on after a stop was asked for.</summary>
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The cluster whose models are served, for the admin service; null offers none.</summary>
    public ClusterControl? Control { get; init; }

    /// <summary>How media are fetched; tests bring their own.</summary>
    internal IMediaNetwork MediaNetwork { get; init; } = SystemMediaNetwork.Instance;
}
