using System.Buffers;

namespace MmCluster.Media.Images;

/// <summary>
/// A decoded picture: 8-bit red, green, blue, interleaved, row after row without padding. It owns pooled memory: dispose it
/// once, when no span of it is in use any more. Not thread-safe while it is written.
/// </summary>
public sealed class Picture : IDisposable
{
    // The pool rounds up to powers of two and keeps what it gets back: for a few photographs that is what is wanted, for posters not.
    private const int MaxPooledBytes = 64 << 20;

    private byte[]? _pixels;

    private Picture(int width, int height)
    {
        Width = width;
        Height = height;
        _pixels = ByteCount <= MaxPooledBytes ? ArrayPool<byte>.Shared.Rent(ByteCount) : GC.AllocateUninitializedArray<byte>(ByteCount);
    }

    /// <summary>Pixels a row.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Bytes of a row: three times the width.</summary>
    public int Stride => Width * 3;

    /// <summary>The pixels, [height, width, 3].</summary>
    /// <exception cref="ObjectDisposedException">The picture was disposed.</exception>
    public Span<byte> Pixels
    {
        get
        {
            ObjectDisposedException.ThrowIf(_pixels is null, this);
            return _pixels.AsSpan(0, ByteCount);
        }
    }

    private int ByteCount => checked(Width * Height * 3);

    /// <summary>One row, [width, 3].</summary>
    /// <param name="y">Its index from the top.</param>
    public Span<byte> Row(int y) => Pixels.Slice(y * Stride, Stride);

    /// <summary>A picture whose pixels are not yet set.</summary>
    /// <param name="width">Pixels a row, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A side is not positive, or the pixels do not fit one array.</exception>
    public static Picture Allocate(int width, int height)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)width * height * 3, Array.MaxLength, nameof(height));
        return new Picture(width, height);
    }

    /// <summary>A picture with a copy of these pixels.</summary>
    /// <param name="width">Pixels a row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="pixels">[height, width, 3], red first.</param>
    /// <exception cref="ArgumentException">The length is not three times width times height.</exception>
    public static Picture FromRgb(int width, int height, ReadOnlySpan<byte> pixels)
    {
        if (pixels.Length != (long)width * height * 3)
        {
            throw new ArgumentException($"{width} x {height} pixels need {(long)width * height * 3} bytes, got {pixels.Length}", nameof(pixels));
        }
        Picture picture = Allocate(width, height);
        pixels.CopyTo(picture.Pixels);
        return picture;
    }

    /// <summary>Fills all pixels from a stream.</summary>
    /// <returns>Whether the stream held enough.</returns>
    internal async Task<bool> FillAsync(Stream source, CancellationToken stop)
    {
        byte[] pixels = _pixels ?? throw new ObjectDisposedException(nameof(Picture));
        return await source.ReadAtLeastAsync(pixels.AsMemory(0, ByteCount), ByteCount, throwOnEndOfStream: false, stop) == ByteCount;
    }

    /// <summary>Gives the memory back. Further calls do nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _pixels, null) is { } pixels && ByteCount <= MaxPooledBytes)
        {
            ArrayPool<byte>.Shared.Return(pixels);
        }
    }
}
