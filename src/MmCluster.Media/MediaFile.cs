namespace MmCluster.Media;

/// <summary>Reads encoded items into memory, never more than is allowed.</summary>
public static class MediaFile
{
    /// <summary>Reads a whole file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limits">Its size is checked against <see cref="MediaLimits.MaxBytes"/>, also when the file does not tell it (a device, a pipe).</param>
    /// <param name="stop">Ends the reading.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is a folder, or longer than allowed.</exception>
    public static async Task<ReadOnlyMemory<byte>> ReadAsync(string path, MediaLimits limits, CancellationToken stop = default)
    {
        if (Directory.Exists(path))
        {
            throw new InvalidDataException($"{path}: is a folder");
        }
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: no such file", path);
        }
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 0, FileOptions.Asynchronous | FileOptions.SequentialScan);
        try
        {
            return await ReadAsync(file, limits, stop);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{path}: {error.Message}", error);
        }
    }

    /// <summary>Reads a stream to its end.</summary>
    /// <param name="source">The stream.</param>
    /// <param name="limits">Its length is checked against <see cref="MediaLimits.MaxBytes"/>.</param>
    /// <param name="stop">Ends the reading.</param>
    /// <exception cref="InvalidDataException">It is longer than allowed.</exception>
    public static async Task<ReadOnlyMemory<byte>> ReadAsync(Stream source, MediaLimits limits, CancellationToken stop = default)
    {
        long announced = source.CanSeek ? source.Length - source.Position : 0;
        Check(announced, limits);
        byte[] buffer = new byte[Math.Max(announced, 4096) + 1]; // one more: the end shows without growing
        int length = 0;
        while (await source.ReadAsync(buffer.AsMemory(length), stop) is > 0 and int read)
        {
            length += read;
            Check(length, limits);
            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, (int)Math.Min(2L * buffer.Length, limits.MaxBytes + 1L));
            }
        }
        return buffer.AsMemory(0, length);
    }

    private static void Check(long length, MediaLimits limits)
    {
        if (length > limits.MaxBytes)
        {
            throw new InvalidDataException($"{length} bytes or more are over the limit of {limits.MaxBytes}");
        }
    }
}
