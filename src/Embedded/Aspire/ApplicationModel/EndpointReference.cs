using System.Globalization;
using Aspire.Hosting.Internal;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>Another resource's endpoint: an address that is known when the application starts.</summary>
public sealed class EndpointReference : IValueProvider, IManifestExpressionProvider
{
    internal const string LocalHost = "localhost";
    private EndpointAnnotation? _endpoint;

    /// <summary>The endpoint of a resource that an annotation describes.</summary>
    public EndpointReference(IResourceWithEndpoints owner, EndpointAnnotation endpoint)
    {
        ArgumentNullException.ThrowIfNull(owner);
        ArgumentNullException.ThrowIfNull(endpoint);
        Resource = owner;
        EndpointName = endpoint.Name;
        _endpoint = endpoint;
    }

    /// <summary>The endpoint of a resource with a name.</summary>
    public EndpointReference(IResourceWithEndpoints owner, string endpointName)
    {
        ArgumentNullException.ThrowIfNull(owner);
        ArgumentException.ThrowIfNullOrEmpty(endpointName);
        Resource = owner;
        EndpointName = endpointName;
    }

    /// <summary>The resource that has the endpoint.</summary>
    public IResourceWithEndpoints Resource { get; }

    /// <summary>The endpoint's name.</summary>
    public string EndpointName { get; }

    /// <summary>The endpoint; throws when the resource has none of this name.</summary>
    public EndpointAnnotation EndpointAnnotation => Find()
        ?? throw new InvalidOperationException($"The endpoint `{EndpointName}` is not defined for the resource `{Resource.Name}`.");

    /// <summary>Whether the resource has the endpoint.</summary>
    public bool Exists => Find() is not null;

    /// <summary>Whether its ports are given out.</summary>
    public bool IsAllocated => Find() is { Port: not 0 };

    /// <summary>Whether its scheme is http.</summary>
    public bool IsHttp => Scheme == "http";

    /// <summary>Whether its scheme is https.</summary>
    public bool IsHttps => Scheme == "https";

    /// <summary>The scheme.</summary>
    public string Scheme => EndpointAnnotation.Scheme;

    /// <summary>The host's name.</summary>
    public string Host => Allocated() is not null ? LocalHost : "";

    /// <summary>The port that callers use.</summary>
    public int Port => Allocated().Port;

    /// <summary>The port that the process listens on; null when replicas have one each.</summary>
    public int? TargetPort => EndpointAnnotation.TargetPorts is [int only] ? only : EndpointAnnotation.WantedTargetPort;

    /// <summary>The address.</summary>
    public string Url => string.Create(CultureInfo.InvariantCulture, $"{Scheme}://{LocalHost}:{Port}");

    /// <summary>The endpoint as a manifest writes it.</summary>
    string IManifestExpressionProvider.ValueExpression => Property(EndpointProperty.Url).ValueExpression;

    /// <summary>One part of the address.</summary>
    public EndpointReferenceExpression Property(EndpointProperty property) => new(this, property);

    /// <summary>The address.</summary>
    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => ValueTask.FromResult<string?>(Url);

    private EndpointAnnotation? Find() => _endpoint ??= Resource.All<EndpointAnnotation>()
        .FirstOrDefault(endpoint => string.Equals(endpoint.Name, EndpointName, StringComparison.OrdinalIgnoreCase));

    private EndpointAnnotation Allocated() => EndpointAnnotation is { Port: not 0 } endpoint
        ? endpoint
        : throw new InvalidOperationException($"The endpoint `{EndpointName}` is not allocated for the resource `{Resource.Name}`.");
}

/// <summary>One part of an endpoint's address.</summary>
public class EndpointReferenceExpression : IValueProvider, IManifestExpressionProvider
{
    /// <summary>Creates an expression.</summary>
    public EndpointReferenceExpression(EndpointReference endpointReference, EndpointProperty property)
    {
        ArgumentNullException.ThrowIfNull(endpointReference);
        Endpoint = endpointReference;
        Property = property;
    }

    /// <summary>The endpoint.</summary>
    public EndpointReference Endpoint { get; }

    /// <summary>The part.</summary>
    public EndpointProperty Property { get; }

    /// <summary>The expression as a manifest writes it.</summary>
    public string ValueExpression =>
        $"{{{Endpoint.Resource.Name}.bindings.{Endpoint.EndpointName}.{char.ToLowerInvariant(Property.ToString()[0])}{Property.ToString()[1..]}}}";

    /// <summary>The value.</summary>
    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => ValueTask.FromResult<string?>(Property switch
    {
        EndpointProperty.Url => Endpoint.Url,
        EndpointProperty.Host => Endpoint.Host,
        EndpointProperty.IPV4Host => "127.0.0.1",
        EndpointProperty.Port => Endpoint.Port.ToString(CultureInfo.InvariantCulture),
        EndpointProperty.Scheme => Endpoint.Scheme,
        EndpointProperty.TargetPort => Endpoint.TargetPort?.ToString(CultureInfo.InvariantCulture),
        EndpointProperty.HostAndPort => string.Create(CultureInfo.InvariantCulture, $"{Endpoint.Host}:{Endpoint.Port}"),
        EndpointProperty.TlsEnabled => Endpoint.IsHttps ? bool.TrueString : bool.FalseString,
        _ => throw new InvalidOperationException($"The property '{Property}' is not supported."),
    });
}
