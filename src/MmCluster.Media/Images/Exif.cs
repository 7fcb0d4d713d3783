using System.Buffers.Binary;

namespace MmCluster.Media.Images;

/// <summary>Reads the one EXIF tag that changes pixels. Metadata that cannot be read counts as none: it is no reason to refuse a picture.</summary>
internal static class Exif
{
    private const ushort OrientationTag = 0x0112;

    /// <summary>The orientation in a TIFF structure (EXIF's, or a TIFF file itself).</summary>
    /// <param name="tiff">From the byte-order mark on, or from the "Exif" before it.</param>
    /// <returns>1 to 8; 1 when the tag is missing or cannot be read.</returns>
    public static int Orientation(ReadOnlySpan<byte> tiff) => Tag(tiff, OrientationTag) is >= 1 and <= 8 and { } value ? (int)value : 1;

    /// <summary>A number in the first directory of a TIFF structure.</summary>
    /// <param name="tiff">From the byte-order mark on, or from the "Exif" before it.</param>
    /// <param name="tag">Its tag.</param>
    /// <returns>Its value; null when it is missing, cannot be read, or is neither a 16-bit nor a 32-bit number.</returns>
    public static uint? Tag(ReadOnlySpan<byte> tiff, ushort tag)
    {
        tiff = tiff.StartsWith("Exif\0\0"u8) ? tiff[6..] : tiff;
        bool little = tiff.StartsWith("II*\0"u8);
        if (tiff.Length < 8 || (!little && !tiff.StartsWith("MM\0*"u8)))
        {
            return null;
        }
        uint directory = ReadUInt32(tiff[4..], little);
        if (directory > tiff.Length - 2)
        {
            return null;
        }
        ReadOnlySpan<byte> entries = tiff[(int)directory..];
        int count = ReadUInt16(entries, little);
        entries = entries[2..];
        for (int i = 0; i < count && entries.Length >= 12; i++, entries = entries[12..])
        {
            if (ReadUInt16(entries, little) == tag)
            {
                return ReadUInt16(entries[2..], little) switch
                {
                    3 => ReadUInt16(entries[8..], little),
                    4 => ReadUInt32(entries[8..], little),
                    _ => null,
                };
            }
        }
        return null;
    }

    private static ushort ReadUInt16(ReadOnlySpan<byte> bytes, bool little) =>
        little ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);

    private static uint ReadUInt32(ReadOnlySpan<byte> bytes, bool little) =>
        little ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes);
}
