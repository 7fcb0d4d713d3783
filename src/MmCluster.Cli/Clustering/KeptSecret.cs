using System.Security.Cryptography;
using MmCluster.Models;

namespace MmCluster.Cli.Clustering;

/// <summary>
/// What the processes that share a folder prove to each other when nobody told them: the first one draws it, all others read it. It lies in the folder's file
/// <c>secret</c>, which only its user can read.
/// </summary>
internal static class KeptSecret
{
    private const int HexDigits = 64;

    private static readonly TimeSpan OpenTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The folder's secret; the folder is made when it is not there.</summary>
    /// <exception cref="MmException">Unavailable: the file cannot be used.</exception>
    public static string Of(string folder)
    {
        string path = Path.Combine(folder, "secret");
        using FileStream file = OpenAlone(path);
        using var reader = new StreamReader(file);
        string secret = reader.ReadToEnd().Trim();
        if (secret.Length > 0)
        {
            return secret;
        }
        using var writer = new StreamWriter(file);
        secret = RandomNumberGenerator.GetHexString(HexDigits, lowercase: true);
        writer.Write(secret);
        return secret;
    }

    // Processes of one start come at the same moment: whoever has the file open alone decides, and no other sees it half written. Renaming a file into place does not
    // do, as .NET looks whether there is one and then replaces it.
    private static FileStream OpenAlone(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
        FileStream? file = null;
        Exception? refused = null;
        SpinWait.SpinUntil(Opens, OpenTimeout);
        return file ?? throw new MmException(MmErrorCode.Unavailable, $"cannot use the cluster's secret: {refused!.Message}; name another --cluster-folder", refused);

        bool Opens()
        {
            try
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                file = new FileStream(path, options);
                return true;
            }
            catch (UnauthorizedAccessException error)
            {
                refused = error;
                return true;
            }
            catch (IOException error)
            {
                refused = error;
                return false;
            }
        }
    }
}
