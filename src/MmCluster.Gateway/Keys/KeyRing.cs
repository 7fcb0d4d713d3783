using System.Security.Cryptography;
using System.Text;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Metrics;
using MmCluster.Gateway.Models;
using MmCluster.Models;

namespace MmCluster.Gateway.Keys;

/// <summary>The keys that a gateway accepts. Without any, everyone is the same unlimited caller. Immutable, safe to call from any thread.</summary>
internal sealed class KeyRing
{
    private const int MaxTenantLength = 64;
    private const int MaxKeyLength = 4096;

    private readonly (byte[] Hash, Caller Caller)[] _keys;
    private readonly Caller? _anyone;

    /// <exception cref="MmException">InvalidArgument, naming the record at fault by its tenant.</exception>
    public KeyRing(GatewayOptions options, ServedModels models, TenantMetrics metrics, TimeProvider time)
    {
        ApiKeyRecord[] records =
        [
            .. options.Keys,
            // The one key of a small installation is its operator's.
            .. options.ApiKey is { } key ? [new ApiKeyRecord { Hash = ApiKeyRecord.HashOf(key), Tenant = "default", Admin = true }] : Array.Empty<ApiKeyRecord>(),
        ];
        _keys = [.. records.Select(record => (HashBytes(record), new Caller(record, models, metrics, time)))];
        if (records.GroupBy(record => record.Hash, StringComparer.OrdinalIgnoreCase).FirstOrDefault(same => same.Count() > 1) is { } twice)
        {
            throw Invalid(twice.First(), "its hash stands in another record too");
        }
        _anyone = records.Length > 0 ? null : new Caller(new ApiKeyRecord { Hash = "", Tenant = "", Admin = true }, models, metrics, time);
    }

    /// <summary>The caller of a request with that Authorization header, or null where its key is not accepted.</summary>
    public Caller? Find(string? authorization)
    {
        if (_anyone is not null)
        {
            return _anyone;
        }
        if (authorization is null || authorization.Length > MaxKeyLength || !authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(authorization["Bearer ".Length..].Trim()));
        // All are compared, each in constant time, so that the answer's delay tells nothing of a key or its place.
        Caller? found = null;
        foreach ((byte[] known, Caller caller) in _keys)
        {
            found = CryptographicOperations.FixedTimeEquals(known, hash) ? caller : found;
        }
        return found;
    }

    public static MmException Refusal() => new(
        MmErrorCode.Unauthenticated, "a valid API key is needed: send the header 'Authorization: Bearer KEY'");

    private static byte[] HashBytes(ApiKeyRecord record)
    {
        if (record.Tenant.Length is 0 or > MaxTenantLength || !record.Tenant.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
        {
            throw Invalid(record, $"a tenant is 1 to {MaxTenantLength} of A-Z a-z 0-9 . _ -");
        }
        if (record.RequestsPerSecond is not (null or (> 0 and < double.PositiveInfinity)) || record.TokensPerMinute is <= 0 || record.Concurrency is <= 0)
        {
            throw Invalid(record, "its limits must be above 0; leave one out for no limit");
        }
        if (record.Hash.Length != 2 * SHA256.HashSizeInBytes || !record.Hash.All(char.IsAsciiHexDigit))
        {
            throw Invalid(record, "its hash must be the 64 hexadecimal digits of a SHA-256 (printf %s KEY | sha256sum)");
        }
        return Convert.FromHexString(record.Hash);
    }

    private static MmException Invalid(ApiKeyRecord record, string fault) =>
        new(MmErrorCode.InvalidArgument, $"key of tenant '{record.Tenant}': {fault}");
}
