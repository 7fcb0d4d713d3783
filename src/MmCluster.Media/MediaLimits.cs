namespace MmCluster.Media;

/// <summary>What a media item may cost before it is refused. Checked against headers, before memory is taken.</summary>
/// <remarks>Immutable after construction, so one instance may be shared by all threads.</remarks>
public sealed class MediaLimits
{
    /// <summary>The limits with every default.</summary>
    public static MediaLimits Default { get; } = new();

    /// <summary>Bytes of an encoded item. Default 64 MiB; at most 2,000,000,000, because an item is read into one array.</summary>
    public int MaxBytes
    {
        get;
        init => field = Positive(value, nameof(MaxBytes)) <= 2_000_000_000 ? value
            : throw new ArgumentOutOfRangeException(nameof(MaxBytes), value, "at most 2,000,000,000");
    } = 64 << 20;

    /// <summary>Pixels (width times height) of a decoded, resized or padded picture. Default 50 million; at most 500 million.</summary>
    public long MaxPixels
    {
        get;
        init => field = Positive(value, nameof(MaxPixels)) <= 500_000_000 ? value
            : throw new ArgumentOutOfRangeException(nameof(MaxPixels), value, "a picture's three bytes a pixel must fit one array: at most 500,000,000");
    } = 50_000_000;

    /// <summary>Pixels along either side. Default 65,535, the most that JPEG can express.</summary>
    public int MaxSide
    {
        get;
        init => field = (int)Positive(value, nameof(MaxSide));
    } = 65_535;

    /// <summary>
    /// Decoded pixels summed over the scans of a progressive JPEG, the one format here whose work is not bounded by its size.
    /// Default 1,000 million (20 scans of a picture of 50 million pixels).
    /// </summary>
    public long MaxScanPixels
    {
        get;
        init => field = Positive(value, nameof(MaxScanPixels));
    } = 1_000_000_000;

    /// <summary>Wall-clock time of one run of an external program. Default 20 s.</summary>
    public TimeSpan MaxToolTime
    {
        get;
        init => field = value > TimeSpan.Zero ? value
            : throw new ArgumentOutOfRangeException(nameof(MaxToolTime), value, "must be longer than nothing");
    } = TimeSpan.FromSeconds(20);

    /// <summary>Address space, in bytes, of one run of an external program. Default 2 GiB.</summary>
    public long MaxToolMemory
    {
        get;
        init => field = Positive(value, nameof(MaxToolMemory));
    } = 2L << 30;

    /// <summary>Refuses a picture of these dimensions, if it must be.</summary>
    /// <param name="width">Pixels a row, as a header claims them.</param>
    /// <param name="height">Rows, as a header claims them.</param>
    /// <exception cref="InvalidDataException">A side is not positive, or a limit is passed.</exception>
    internal void CheckPicture(long width, long height)
    {
        if (width <= 0 || height <= 0)
        {
            throw new InvalidDataException($"the header says {width} x {height} pixels");
        }
        if (width > MaxSide || height > MaxSide)
        {
            throw new InvalidDataException($"{width} x {height} pixels: a side may have at most {MaxSide}");
        }
        if (width * height > MaxPixels)
        {
            throw new InvalidDataException($"{width} x {height} pixels are more than the limit of {MaxPixels}: send a smaller picture");
        }
    }

    private static long Positive(long value, string name) => value > 0 ? value
        : throw new ArgumentOutOfRangeException(name, value, "must be positive");
}
