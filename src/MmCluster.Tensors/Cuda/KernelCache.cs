using System.Security.Cryptography;
using System.Text;

namespace MmCluster.Tensors.Cuda;

/// <summary>
/// What took long to find out about a GPU, in files under $XDG_CACHE_HOME/mmcluster/kernels (~/.cache where unset): machine code and the choice of
/// algorithms. A file ends with the SHA-256 of what is before; one that does not is as if it were not there. A cache that cannot be written costs time only.
/// </summary>
internal static class KernelCache
{
    private static readonly string Folder = Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
            ? cache
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "mmcluster",
        "kernels");

    /// <summary>The name of something made from these texts.</summary>
    internal static string Key(ReadOnlySpan<string> texts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string text in texts)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>What was kept under a key, or null.</summary>
    internal static byte[]? Find(string key)
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(Path.Combine(Folder, key));
            return bytes.Length > SHA256.HashSizeInBytes && SHA256.HashData(bytes.AsSpan(..^SHA256.HashSizeInBytes)).AsSpan().SequenceEqual(bytes.AsSpan(^SHA256.HashSizeInBytes..))
                ? bytes[..^SHA256.HashSizeInBytes]
                : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Keeps it, whole or not at all: written beside and then renamed.</summary>
    internal static void Keep(string key, byte[] content)
    {
        try
        {
            Directory.CreateDirectory(Folder);
            string beside = Path.Combine(Folder, $"{key}.{Environment.ProcessId}.{Environment.CurrentManagedThreadId}");
            File.WriteAllBytes(beside, [.. content, .. SHA256.HashData(content)]);
            File.Move(beside, Path.Combine(Folder, key), overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The next process compiles it again.
        }
    }
}
