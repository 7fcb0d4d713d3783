using System.Buffers.Binary;

namespace MmCluster.Media.Images;

/// <summary>
/// Looks into the headers of formats that ffmpeg decodes: a size past the limits is refused before a program is started, and the
/// orientation is read where the format keeps one. ffmpeg has the same limit on pixels for whatever is missed here.
/// </summary>
internal static class PictureHeaders
{
    /// <summary>Refuses a file whose header announces too many pixels.</summary>
    /// <exception cref="InvalidDataException">A limit is passed, or the header breaks off.</exception>
    /// <exception cref="NotSupportedException">ffmpeg would show it wrong.</exception>
    public static void Check(MediaFormat format, ReadOnlySpan<byte> file, MediaLimits limits)
    {
        if (format == MediaFormat.Tiff && Exif.Tag(file, 0x0103) is 6 or 7)
        {
            throw new NotSupportedException("TIFF: JPEG compression inside is not read: save the picture as PNG or JPEG");
        }
        (long width, long height)? size = format switch
        {
            MediaFormat.Qoi when file.Length >= 14 =>
                (BinaryPrimitives.ReadUInt32BigEndian(file[4..]), BinaryPrimitives.ReadUInt32BigEndian(file[8..])),
            MediaFormat.Tiff => TiffSize(file),
            MediaFormat.Qoi => throw new InvalidDataException($"{format}: the file breaks off inside its header"),
            _ => null,
        };
        if (size is var (w, h))
        {
            limits.CheckPicture(w, h);
        }
    }

    /// <summary>The EXIF orientation, 1 to 8.</summary>
    public static int Orientation(MediaFormat format, ReadOnlySpan<byte> file) => format == MediaFormat.Tiff ? Exif.Orientation(file) : 1;

    private static (long, long)? TiffSize(ReadOnlySpan<byte> file) =>
        Exif.Tag(file, 0x0100) is { } width && Exif.Tag(file, 0x0101) is { } height ? (width, height) : null;
}
