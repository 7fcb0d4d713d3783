namespace Grpc.Core.Internal;

/// <summary>Names and encodings of the protocol's HTTP/2 headers.</summary>
internal static class GrpcHeaders
{
    public const string ContentType = "application/grpc";
    public const string Status = "grpc-status";
    public const string Message = "grpc-message";
    public const string Timeout = "grpc-timeout";
    public const string Encoding = "grpc-encoding";
    public const string AcceptEncoding = "grpc-accept-encoding";

    /// <summary>An entry of call or response headers with this key chooses the encoding; it does not travel.</summary>
    public const string EncodingRequest = "grpc-internal-encoding-request";

    public const string Identity = "identity";
    public const string Gzip = "gzip";
    public const string Accepted = "identity,gzip";

    private static readonly string[] Numbers = [.. Enumerable.Range(0, 17).Select(code => $"{code}")];

    /// <summary>The number as text, without an allocation for the known codes.</summary>
    public static string Number(StatusCode code) => (uint)code < 17 ? Numbers[(int)code] : $"{(int)code}";

    /// <summary>application/grpc, alone or with a message format or parameters.</summary>
    public static bool IsGrpc(string? contentType) =>
        contentType is not null
        && contentType.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase)
        && (contentType.Length == ContentType.Length || contentType[ContentType.Length] is ';' or '+');

    /// <summary>Whether a header belongs to the protocol and so is no metadata.</summary>
    public static bool IsProtocol(string name) => name.Length == 0 || name[0] == ':' || name.ToLowerInvariant() is
        Encoding or AcceptEncoding or Timeout or Status or Message
        or "content-type" or "content-length" or "te" or "host" or "accept-encoding";

    /// <summary>Adds a header's value to metadata; of -bin headers, each comma-separated part, with or without padding.</summary>
    public static void AddTo(Metadata metadata, string name, string value)
    {
        if (!Metadata.Entry.IsBinaryKey(name))
        {
            metadata.Add(name, value);
            return;
        }
        foreach (string part in value.Split(','))
        {
            metadata.Add(name, Decode(part.Trim()));
        }
    }

    /// <summary>What an entry is on the wire.</summary>
    public static string Encode(Metadata.Entry entry) => entry.IsBinary ? Convert.ToBase64String(entry.Bytes) : entry.Value;

    private static byte[] Decode(string base64)
    {
        try
        {
            return Convert.FromBase64String(base64.PadRight((base64.Length + 3) / 4 * 4, '='));
        }
        catch (FormatException)
        {
            throw new RpcException(new Core.Status(StatusCode.Internal, "Invalid base-64 in a binary header."));
        }
    }
}
