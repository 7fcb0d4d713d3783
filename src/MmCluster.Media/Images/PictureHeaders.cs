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
    public static void Check(MediaFormat format, ReadOnlySpan<byte> file, MediaLimits limits)
    {
        (long width, long height)? size = format switch
        {
            MediaFormat.Gif => GifSize(file),
            MediaFormat.Qoi when file.Length >= 14 =>
                (BinaryPrimitives.ReadUInt32BigEndian(file[4..]), BinaryPrimitives.ReadUInt32BigEndian(file[8..])),
            MediaFormat.WebP => WebPSize(file),
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
    public static int Orientation(MediaFormat format, ReadOnlySpan<byte> file) => format switch
    {
        MediaFormat.Tiff => Exif.Orientation(file),
        MediaFormat.WebP => Exif.Orientation(WebPChunk(file, "EXIF"u8)),
        _ => 1,
    };

    // Also walks the first picture's blocks, because ffmpeg shows half a picture where they break off.
    private static (long, long) GifSize(ReadOnlySpan<byte> file)
    {
        int at = 13;
        if (file.Length > at)
        {
            at += GifTableBytes(file[10]);
            bool inPicture = false;
            while (at < file.Length)
            {
                byte kind = file[at++];
                if (kind == 0x2C && at + 9 < file.Length) // a picture: its descriptor, its palette, the code size
                {
                    at += 9 + GifTableBytes(file[at + 8]) + 1;
                    inPicture = true;
                }
                else if (kind == 0x21) // an extension
                {
                    at++;
                }
                else
                {
                    break;
                }
                while (at < file.Length && file[at] != 0)
                {
                    at += file[at] + 1;
                }
                if (inPicture && at < file.Length)
                {
                    return (BinaryPrimitives.ReadUInt16LittleEndian(file[6..]), BinaryPrimitives.ReadUInt16LittleEndian(file[8..]));
                }
                at++;
            }
        }
        throw new InvalidDataException("Gif: the file breaks off before its first picture's end");
    }

    private static int GifTableBytes(byte flags) => (flags & 0x80) == 0 ? 0 : 3 << ((flags & 7) + 1);

    // https://developers.google.com/speed/webp/docs/riff_container
    private static (long, long) WebPSize(ReadOnlySpan<byte> file)
    {
        if (file.Length >= 30 && file[12..].StartsWith("VP8X"u8))
        {
            return (1 + ReadUInt24(file[24..]), 1 + ReadUInt24(file[27..]));
        }
        if (file.Length >= 30 && file[12..].StartsWith("VP8 "u8))
        {
            return (BinaryPrimitives.ReadUInt16LittleEndian(file[26..]) & 0x3FFF, BinaryPrimitives.ReadUInt16LittleEndian(file[28..]) & 0x3FFF);
        }
        if (file.Length >= 25 && file[12..].StartsWith("VP8L"u8))
        {
            uint bits = BinaryPrimitives.ReadUInt32LittleEndian(file[21..]);
            return (1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF));
        }
        throw new InvalidDataException("WebP: the file breaks off inside its header");
    }

    private static ReadOnlySpan<byte> WebPChunk(ReadOnlySpan<byte> file, ReadOnlySpan<byte> name)
    {
        for (int at = 12; at + 8 <= file.Length;)
        {
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(file[(at + 4)..]);
            if (length > file.Length - at - 8)
            {
                break;
            }
            if (file[at..].StartsWith(name))
            {
                return file.Slice(at + 8, (int)length);
            }
            at += 8 + (int)length + (int)(length & 1);
        }
        return [];
    }

    private static (long, long)? TiffSize(ReadOnlySpan<byte> file) =>
        Exif.Tag(file, 0x0100) is { } width && Exif.Tag(file, 0x0101) is { } height ? (width, height) : null;

    private static long ReadUInt24(ReadOnlySpan<byte> bytes) => bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
}
