using Microsoft.AspNetCore.Http;
using MmCluster.Gateway.Keys;
using MmCluster.Gateway.Metrics;
using MmCluster.Gateway.OpenAi;

namespace MmCluster.Gateway.Hosting;

/// <summary>
/// Tells who sends a request, and lets /v1 through only with an accepted key. Other routes that do work for a caller ask
/// <see cref="Caller.Of"/>, which refuses in their own form.
/// </summary>
internal sealed class ApiKeyCheck(GatewayKeys keys, TenantMetrics metrics, RequestDelegate next)
{
    public Task HandleAsync(HttpContext http)
    {
        if (keys.Find(http.Request.Headers.Authorization) is { } caller)
        {
            http.Features.Set(caller);
        }
        else if (http.Request.Path.StartsWithSegments("/v1"))
        {
            metrics.Reject("", Rejection.Key);
            return ErrorBody.WriteAsync(http, KeyRing.Refusal());
        }
        return next(http);
    }
}
