using System.Text;

namespace MmCluster.Models.Hub;

/// <summary>Checks the file names that a hub sends: they are untrusted, and become paths.</summary>
internal static class HubPath
{
    /// <summary>The folder, inside a model's, that holds what a pull keeps for itself.</summary>
    public const string StateFolder = ".mm-pull";

    private const int MaxLength = 1024;
    private const int MaxPartBytes = 255;
    private const int MaxDepth = 16;

    /// <summary>Refuses a name that is not a plain relative path.</summary>
    /// <exception cref="MmException">Unavailable: the hub sends what no honest hub sends.</exception>
    public static void Check(string path)
    {
        string[] parts = path.Split('/');
        if (path.Length is 0 or > MaxLength || parts.Length > MaxDepth || !parts.All(IsPart)
            || parts[0].Equals(StateFolder, StringComparison.OrdinalIgnoreCase))
        {
            string shown = new([.. path.Take(80).Select(letter => char.IsControl(letter) ? '?' : letter)]);
            throw new MmException(MmErrorCode.Unavailable, $"the hub names a file '{shown}', which is no plain relative path: nothing was fetched");
        }
    }

    /// <summary>Where a file goes. No folder on the way may be a link.</summary>
    /// <param name="root">The model's folder.</param>
    /// <param name="path">A checked path.</param>
    /// <exception cref="MmException">InvalidArgument: a folder on the way is a symbolic link, which could lead anywhere.</exception>
    public static string Resolve(string root, string path)
    {
        string folder = root;
        string[] parts = path.Split('/');
        foreach (string part in parts[..^1])
        {
            folder = Path.Combine(folder, part);
            if (new DirectoryInfo(folder).LinkTarget is not null)
            {
                throw new MmException(MmErrorCode.InvalidArgument, $"{folder} is a symbolic link: remove it, then pull again");
            }
        }
        return Path.Combine(folder, parts[^1]);
    }

    private static bool IsPart(string part) => part is not ("" or "." or "..") && Encoding.UTF8.GetByteCount(part) <= MaxPartBytes
        && !part.Any(letter => char.IsControl(letter) || letter is '\\' or ':');
}
