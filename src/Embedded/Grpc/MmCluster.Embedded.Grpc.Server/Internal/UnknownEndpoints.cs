using Grpc.Core;
using Grpc.Core.Internal;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Options;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Answers gRPC calls that no method was mapped for with Unimplemented.</summary>
internal sealed class UnknownEndpoints(IOptions<GrpcServiceOptions> options)
{
    private readonly HashSet<string> _mapped = [];

    public void MapMethodsOf(IEndpointRouteBuilder routes, string service) =>
        Map(routes, service + "/{unimplementedMethod}", "Method is unimplemented.");

    public void MapServices(IEndpointRouteBuilder routes)
    {
        if (options.Value.IgnoreUnknownServices != true)
        {
            Map(routes, "{unimplementedService}/{unimplementedMethod}", "Service is unimplemented.");
        }
    }

    private void Map(IEndpointRouteBuilder routes, string pattern, string message)
    {
        if (!_mapped.Add(pattern))
        {
            return;
        }
        RoutePattern route = RoutePatternFactory.Parse(
            pattern, defaults: null, parameterPolicies: new { unimplementedMethod = new GrpcRequestConstraint() });
        routes.Map(route, http =>
        {
            http.Response.ContentType = GrpcHeaders.ContentType;
            Trailers.Write(http, new Status(StatusCode.Unimplemented, message), null);
            return Task.CompletedTask;
        }).Also(endpoint => endpoint.DisplayName = $"gRPC - {message}");
    }

    /// <summary>Matches gRPC requests only, so that other routes are not hidden.</summary>
    private sealed class GrpcRequestConstraint : IRouteConstraint
    {
        public bool Match(HttpContext? httpContext, IRouter? route, string routeKey, RouteValueDictionary values, RouteDirection routeDirection) =>
            httpContext is null || (HttpMethods.IsPost(httpContext.Request.Method) && GrpcHeaders.IsGrpc(httpContext.Request.ContentType));
    }
}
