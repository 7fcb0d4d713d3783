using System.Buffers.Binary;

namespace MmCluster.Media.Images.WebP;

/// <summary>
/// A WebP container (https://developers.google.com/speed/webp/docs/riff_container) taken apart. Of an animation only the first frame counts.
/// </summary>
internal sealed class WebPFile
{
    private const int HeaderLength = 12; // RIFF, size, WEBP
    private const int FrameHeaderLength = 16; // of an ANMF chunk

    private WebPFile(int width, int height) => (Width, Height) = (width, height);

    /// <summary>Columns of the canvas.</summary>
    public int Width { get; }

    /// <summary>Rows of the canvas.</summary>
    public int Height { get; }

    /// <summary>Where the picture lies on the canvas: not (0, 0) only in animations.</summary>
    public (int X, int Y) Offset { get; private init; }

    /// <summary>The picture's chunk, VP8 or VP8L, with its header.</summary>
    public ReadOnlyMemory<byte> Frame { get; private init; }

    /// <summary>Whether the picture is lossy: luma, and chroma at half the resolution.</summary>
    public bool IsLossy => Frame.Span.StartsWith("VP8 "u8);

    /// <summary>EXIF orientation, 1 to 8.</summary>
    public int Orientation { get; private init; }

    /// <summary>The picture alone as a WebP file of the simplest form, without alpha, animation and metadata.</summary>
    public byte[] ToSimpleFile()
    {
        byte[] file = new byte[HeaderLength + Frame.Length];
        "RIFF\0\0\0\0WEBP"u8.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(4), file.Length - 8);
        Frame.Span.CopyTo(file.AsSpan(HeaderLength));
        return file;
    }

    /// <summary>Reads the container. Nothing is decoded.</summary>
    /// <exception cref="InvalidDataException">It breaks off, holds no picture, or passes a limit.</exception>
    public static WebPFile Parse(ReadOnlyMemory<byte> file, MediaLimits limits)
    {
        ReadOnlyMemory<byte> extended = Find(file, HeaderLength, "VP8X"u8);
        ReadOnlyMemory<byte> animated = Find(file, HeaderLength, "ANMF"u8);
        (int X, int Y) offset = (0, 0);
        ReadOnlyMemory<byte> frame;
        if (animated.Length >= 8 + FrameHeaderLength)
        {
            ReadOnlySpan<byte> header = animated.Span[8..];
            offset = (2 * ReadUInt24(header), 2 * ReadUInt24(header[3..]));
            frame = FindPicture(animated, 8 + FrameHeaderLength);
        }
        else
        {
            frame = FindPicture(file, HeaderLength);
        }
        (int width, int height) = FrameSize(frame.Span);
        (int canvasWidth, int canvasHeight) = extended.Length >= 18
            ? (1 + ReadUInt24(extended.Span[12..]), 1 + ReadUInt24(extended.Span[15..])) : (width, height);
        limits.CheckPicture(canvasWidth, canvasHeight);
        limits.CheckPicture(width, height);
        if (offset.X + width > canvasWidth || offset.Y + height > canvasHeight)
        {
            throw new InvalidDataException("WebP: the first frame does not lie on the canvas");
        }
        ReadOnlyMemory<byte> exif = Find(file, HeaderLength, "EXIF"u8);
        return new WebPFile(canvasWidth, canvasHeight)
        {
            Offset = offset,
            Frame = frame,
            Orientation = exif.IsEmpty ? 1 : Exif.Orientation(exif.Span[8..]),
        };
    }

    private static ReadOnlyMemory<byte> FindPicture(ReadOnlyMemory<byte> file, int start)
    {
        ReadOnlyMemory<byte> lossy = Find(file, start, "VP8 "u8);
        ReadOnlyMemory<byte> frame = lossy.IsEmpty ? Find(file, start, "VP8L"u8) : lossy;
        return frame.IsEmpty ? throw new InvalidDataException("WebP: the file breaks off before its picture's end") : frame;
    }

    // A chunk with its header and padding; empty if it is not there or not whole.
    private static ReadOnlyMemory<byte> Find(ReadOnlyMemory<byte> file, int start, ReadOnlySpan<byte> name)
    {
        for (int at = start; at + 8 <= file.Length;)
        {
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(file.Span[(at + 4)..]);
            if (length > file.Length - at - 8)
            {
                break;
            }
            int whole = Math.Min(8 + (int)length + (int)(length & 1), file.Length - at);
            if (file.Span[at..].StartsWith(name))
            {
                return file.Slice(at, whole);
            }
            at += whole;
        }
        return default;
    }

    private static (int, int) FrameSize(ReadOnlySpan<byte> chunk)
    {
        ReadOnlySpan<byte> body = chunk[8..];
        if (chunk.StartsWith("VP8 "u8) && body.Length >= 10)
        {
            return (BinaryPrimitives.ReadUInt16LittleEndian(body[6..]) & 0x3FFF, BinaryPrimitives.ReadUInt16LittleEndian(body[8..]) & 0x3FFF);
        }
        if (chunk.StartsWith("VP8L"u8) && body.Length >= 5)
        {
            uint bits = BinaryPrimitives.ReadUInt32LittleEndian(body[1..]);
            return ((int)(1 + (bits & 0x3FFF)), (int)(1 + ((bits >> 14) & 0x3FFF)));
        }
        throw new InvalidDataException("WebP: the picture breaks off inside its header");
    }

    private static int ReadUInt24(ReadOnlySpan<byte> bytes) => bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
}
