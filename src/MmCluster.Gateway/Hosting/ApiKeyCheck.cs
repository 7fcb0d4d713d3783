using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using MmCluster.Gateway.OpenAi;
using MmCluster.Models;

namespace MmCluster.Gateway.Hosting;

/// <summary>Lets /v1 through only with the right bearer token; without a configured key, any Authorization header is accepted.</summary>
internal sealed class ApiKeyCheck(string? apiKey, RequestDelegate next)
{
    private readonly byte[]? _hash = apiKey is null ? null : SHA256.HashData(Encoding.UTF8.GetBytes(apiKey));

    public Task HandleAsync(HttpContext http) => !http.Request.Path.StartsWithSegments("/v1") || Allows(http.Request.Headers.Authorization)
        ? next(http)
        : ErrorBody.WriteAsync(http, new MmException(
            MmErrorCode.Unauthenticated, "a valid API key is needed: send the header 'Authorization: Bearer KEY'"));

    // Hashes are compared in constant time, so that the answer's delay tells nothing of the key.
    private bool Allows(string? header) => _hash is null
        || (header is not null && header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
            && CryptographicOperations.FixedTimeEquals(_hash, SHA256.HashData(Encoding.UTF8.GetBytes(header["Bearer ".Length..].Trim()))));
}
