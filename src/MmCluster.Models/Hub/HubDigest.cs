using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace MmCluster.Models.Hub;

/// <summary>How a hub names content: SHA-256 for large files, git's blob hash (SHA-1 over a header and the bytes) for small ones.</summary>
/// <param name="Hex">64 or 40 lower-case hexadecimal digits.</param>
public sealed record HubDigest(string Hex)
{
    /// <summary>Whether it is a SHA-256.</summary>
    public bool IsSha256 => Hex.Length == 64;

    /// <summary>Reads a digest or an ETag header (quotes and W/ are taken off).</summary>
    /// <param name="text">The text; null gives null.</param>
    /// <returns>null where the text is no digest: an ETag may be anything.</returns>
    public static HubDigest? TryParse(string? text)
    {
        text = text?.Trim();
        text = text is not null && text.StartsWith("W/", StringComparison.Ordinal) ? text[2..] : text;
        text = text?.Trim('"').ToLowerInvariant();
        return text is { Length: 64 or 40 } && text.All(char.IsAsciiHexDigitLower) ? new HubDigest(text) : null;
    }

    /// <summary>A hash to feed the content to.</summary>
    /// <param name="size">Bytes of the content, which git's hash begins with.</param>
    internal IncrementalHash Start(long size)
    {
        if (IsSha256)
        {
            return IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        }
        var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {size}\0")));
        return hash;
    }

    /// <summary>Whether a file on disk has this content.</summary>
    /// <param name="path">The file.</param>
    /// <param name="stop">Ends the reading.</param>
    internal async Task<bool> MatchesAsync(string path, CancellationToken stop)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.Asynchronous | FileOptions.SequentialScan);
        using IncrementalHash hash = Start(file.Length);
        byte[] buffer = new byte[1 << 20];
        while (await file.ReadAsync(buffer, stop) is > 0 and int read)
        {
            hash.AppendData(buffer, 0, read);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset()) == Hex;
    }
}
