using System.Security.Cryptography;

namespace MmCluster.Media;

/// <summary>The identity of a media item: SHA-256 of its encoded bytes, the same for encoder cache, prefix cache and routing.</summary>
public static class ContentHash
{
    /// <summary>Bytes of a hash.</summary>
    public const int Length = SHA256.HashSizeInBytes;

    /// <summary>SHA-256 of the bytes, 32 bytes.</summary>
    /// <param name="bytes">The item as it was sent.</param>
    public static byte[] Compute(ReadOnlySpan<byte> bytes) => SHA256.HashData(bytes);

    /// <summary>SHA-256 of the bytes as 64 lower-case hexadecimal digits.</summary>
    /// <param name="bytes">The item as it was sent.</param>
    public static string ComputeHex(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
