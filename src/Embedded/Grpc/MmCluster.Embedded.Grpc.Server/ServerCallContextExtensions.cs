using Grpc.AspNetCore.Server.Internal;
using Microsoft.AspNetCore.Http;

namespace Grpc.Core;

/// <summary>From a gRPC call to its HTTP request.</summary>
public static class ServerCallContextExtensions
{
    // Contexts that wrap or fake a call leave the request here, as with the original.
    private const string UserStateKey = "__HttpContext";

    /// <summary>The HTTP request that carries a call.</summary>
    public static HttpContext GetHttpContext(this ServerCallContext serverCallContext)
    {
        ArgumentNullException.ThrowIfNull(serverCallContext);
        return serverCallContext switch
        {
            HttpCallContext call => call.HttpContext,
            _ when serverCallContext.UserState.TryGetValue(UserStateKey, out object? found) && found is HttpContext http => http,
            _ => throw new InvalidOperationException(
                "Could not get HttpContext from ServerCallContext. HttpContext can only be accessed when gRPC services are hosted by ASP.NET Core."),
        };
    }
}
