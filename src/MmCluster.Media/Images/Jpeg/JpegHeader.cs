using System.Buffers.Binary;

namespace MmCluster.Media.Images.Jpeg;

/// <summary>What must be known of a JPEG before the library may decode it.</summary>
/// <param name="Width">Pixels a row.</param>
/// <param name="Height">Rows.</param>
/// <param name="Components">Colour components: 1, 3 or 4.</param>
/// <param name="Orientation">EXIF orientation, 1 to 8.</param>
internal readonly record struct JpegHeader(int Width, int Height, int Components, int Orientation)
{
    /// <summary>Walks the markers up to the frame header.</summary>
    /// <exception cref="InvalidDataException">The file breaks off before its frame header, or a limit is passed.</exception>
    /// <exception cref="NotSupportedException">A kind of JPEG that the library does not decode.</exception>
    public static JpegHeader Parse(ReadOnlySpan<byte> file, MediaLimits limits)
    {
        int orientation = 1;
        int at = 2;
        while (true)
        {
            int marker = NextMarker(file, ref at);
            if (marker is >= 0xD0 and <= 0xD8 or 0x01)
            {
                continue;
            }
            int length = at + 2 <= file.Length ? BinaryPrimitives.ReadUInt16BigEndian(file[at..]) : 0;
            if (marker is 0xD9 or 0xDA || length < 2 || at + length > file.Length)
            {
                throw new InvalidDataException("JPEG: the file breaks off before its frame header");
            }
            ReadOnlySpan<byte> body = file.Slice(at + 2, length - 2);
            if (marker == 0xE1 && orientation == 1 && body.StartsWith("Exif\0\0"u8))
            {
                orientation = Exif.Orientation(body);
            }
            else if (marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC))
            {
                return ParseFrame(marker, body, file[at..], orientation, limits);
            }
            at += length;
        }
    }

    private static JpegHeader ParseFrame(
        int marker, ReadOnlySpan<byte> frame, ReadOnlySpan<byte> rest, int orientation, MediaLimits limits)
    {
        if (frame.Length < 6)
        {
            throw new InvalidDataException("JPEG: the frame header is too short");
        }
        if (marker is not (0xC0 or 0xC1 or 0xC2 or 0xC9 or 0xCA) || frame[0] != 8)
        {
            throw new NotSupportedException($"JPEG: lossless, hierarchical and {frame[0]}-bit files (frame {marker:x2}) are not read: save the picture as PNG");
        }
        int height = BinaryPrimitives.ReadUInt16BigEndian(frame[1..]);
        int width = BinaryPrimitives.ReadUInt16BigEndian(frame[3..]);
        limits.CheckPicture(width, height);
        if (marker is 0xC2 or 0xCA)
        {
            // FF DA cannot occur inside entropy-coded data, so this counts no fewer scans than there are.
            long scans = rest.Count((ReadOnlySpan<byte>)[0xFF, 0xDA]);
            if (scans * width * height > limits.MaxScanPixels)
            {
                throw new InvalidDataException($"JPEG: {scans} scans of {width} x {height} pixels are more work than is allowed");
            }
        }
        return new JpegHeader(width, height, frame[5], orientation);
    }

    // As libjpeg: whatever stands before the next FF is skipped, and so are fill bytes.
    private static int NextMarker(ReadOnlySpan<byte> file, ref int at)
    {
        while (at < file.Length)
        {
            int skip = file[at..].IndexOf((byte)0xFF);
            if (skip < 0)
            {
                break;
            }
            at += skip;
            while (at < file.Length && file[at] == 0xFF)
            {
                at++;
            }
            if (at < file.Length && file[at++] is > 0 and var marker)
            {
                return marker;
            }
        }
        throw new InvalidDataException("JPEG: the file ends before its frame header");
    }
}
