using System.Security.Cryptography;
using System.Text;
using MmCluster.Cluster.Deployment;
using MmCluster.Models;

namespace MmCluster.Gateway.Keys;

/// <summary>The keys that a gateway accepts. Without any, everyone is the same unlimited caller. Immutable, safe to call from any thread.</summary>
internal sealed class KeyRing
{
    private const int MaxTenantLength = 64;
    private const int MaxKeyLength = 4096;

    private readonly (byte[] Hash, Caller Caller)[] _keys;
    private readonly Caller? _anyone;

    /// <summary>The ring of <paramref name="records"/>; <paramref name="known"/> gives the caller of a record, so that one that did not change keeps its counters.</summary>
    /// <exception cref="MmException">InvalidArgument, naming the record at fault by its tenant.</exception>
    public KeyRing(IReadOnlyList<KeyGrant> records, Func<KeyGrant, Caller> known)
    {
        _keys = [.. records.Select(record => (HashBytes(record), known(record)))];
        if (records.GroupBy(record => record.Hash, StringComparer.OrdinalIgnoreCase).FirstOrDefault(same => same.Count() > 1) is { } twice)
        {
            throw Invalid(twice.First(), "its hash stands in another record too");
        }
        _anyone = records.Count > 0 ? null : known(new KeyGrant { Hash = "", Tenant = "", Admin = true });
    }

    /// <summary>All callers.</summary>
    public IEnumerable<Caller> Callers => _keys.Select(key => key.Caller);

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

    private static byte[] HashBytes(KeyGrant record)
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
            throw Invalid(record, "its hash must be the 64 hexadecimal digits of a SHA-256 ('mm key hash' prints it)");
        }
        return Convert.FromHexString(record.Hash);
    }

    private static MmException Invalid(KeyGrant record, string fault) =>
        new(MmErrorCode.InvalidArgument, $"key of tenant '{record.Tenant}': {fault}");
}
