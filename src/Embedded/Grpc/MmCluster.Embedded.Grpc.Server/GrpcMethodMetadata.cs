using Grpc.Core;

namespace Grpc.AspNetCore.Server;

/// <summary>What an endpoint's metadata tells middleware of its gRPC method.</summary>
public sealed class GrpcMethodMetadata
{
    /// <summary>Creates metadata.</summary>
    public GrpcMethodMetadata(Type serviceType, IMethod method)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        ArgumentNullException.ThrowIfNull(method);
        ServiceType = serviceType;
        Method = method;
    }

    /// <summary>The service's implementation.</summary>
    public Type ServiceType { get; }

    /// <summary>The method.</summary>
    public IMethod Method { get; }
}
