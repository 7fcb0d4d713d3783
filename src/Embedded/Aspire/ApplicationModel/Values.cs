namespace Aspire.Hosting.ApplicationModel;

/// <summary>A value that is known at the start.</summary>
public interface IValueProvider
{
    /// <summary>The value.</summary>
    ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default);
}

/// <summary>A value as a deployment manifest writes it.</summary>
public interface IManifestExpressionProvider
{
    /// <summary>The expression.</summary>
    string ValueExpression { get; }
}

/// <summary>A part of an endpoint's address.</summary>
public enum EndpointProperty
{
    /// <summary>The whole address.</summary>
    Url = 0,

    /// <summary>The host's name.</summary>
    Host = 1,

    /// <summary>The host's IPv4 address.</summary>
    IPV4Host = 2,

    /// <summary>The port that callers use.</summary>
    Port = 3,

    /// <summary>The scheme.</summary>
    Scheme = 4,

    /// <summary>The port that the process listens on.</summary>
    TargetPort = 5,

    /// <summary>Host and port.</summary>
    HostAndPort = 6,

    /// <summary>Whether the endpoint speaks TLS.</summary>
    TlsEnabled = 7,
}
