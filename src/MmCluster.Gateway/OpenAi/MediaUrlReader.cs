using MmCluster.Gateway.Media;

namespace MmCluster.Gateway.OpenAi;

/// <summary>Takes the bytes of a media part from its data: URL, within a limit a request; other URLs are left to <see cref="RemoteMedia"/>.</summary>
internal sealed class MediaUrlReader(MediaBudget budget, RemoteMedia remote)
{
    /// <summary>The bytes behind <paramref name="url"/>, none yet where they must be fetched; <paramref name="path"/> names the part in errors.</summary>
    public ReadOnlyMemory<byte> Read(string url, string path)
    {
        if (!url.StartsWith("data:", StringComparison.OrdinalIgnoreCase))
        {
            if (!remote.Enabled)
            {
                throw FieldReader.Invalid(
                    path, $"'{path}': only data: URLs are accepted here, not '{Scheme(url)}'; send data:image/png;base64,…");
            }
            remote.Note(url, path);
            return default;
        }
        int comma = url.IndexOf(',', StringComparison.Ordinal);
        if (comma < 0 || !url.AsSpan(0, comma).EndsWith(";base64", StringComparison.OrdinalIgnoreCase))
        {
            throw FieldReader.Invalid(path, $"'{path}': a data: URL must be of the form data:TYPE;base64,DATA");
        }
        return FromBase64(url.AsSpan(comma + 1), path);
    }

    /// <summary>Decodes base64, refusing before allocation what is over the limit.</summary>
    public ReadOnlyMemory<byte> FromBase64(ReadOnlySpan<char> base64, string path)
    {
        long bound = base64.Length / 4L * 3 + 3;
        if (bound > budget.Left + 3)
        {
            throw FieldReader.Invalid(path, $"'{path}': {budget.Over().Message}");
        }
        byte[] bytes = new byte[bound];
        if (!Convert.TryFromBase64Chars(base64, bytes, out int written))
        {
            throw FieldReader.Invalid(path, $"'{path}': its data is not base64");
        }
        budget.Take(written);
        return bytes.AsMemory(0, written);
    }

    private static string Scheme(string url) => url.IndexOf(':', StringComparison.Ordinal) is >= 0 and < 16 and var colon ? url[..colon] + ":" : "no scheme";
}
