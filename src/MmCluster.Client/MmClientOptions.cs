namespace MmCluster.Client;

/// <summary>How a client calls.</summary>
public sealed record MmClientOptions
{
    /// <summary>Key sent with each call; null sends none.</summary>
    public string? ApiKey { get; init; }

    /// <summary>How long a call may take in all; null (the default) is no limit. The server ends its work at the same time.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>The largest message received, in bytes. Default 64 MiB.</summary>
    public int MaxReceiveBytes { get; init; } = 64 << 20;

    /// <summary>The clock for <see cref="Timeout"/>.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
