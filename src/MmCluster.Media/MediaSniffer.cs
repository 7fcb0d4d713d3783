using System.Buffers.Binary;
using System.Text;

namespace MmCluster.Media;

/// <summary>Tells formats by magic bytes. File names and declared content types are never asked.</summary>
public static class MediaSniffer
{
    /// <summary>The format that the first bytes announce; <see cref="MediaFormat.Unknown"/> if they announce none.</summary>
    /// <param name="head">The first bytes of the item; 32 are enough.</param>
    public static MediaFormat Sniff(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]))
        {
            return MediaFormat.Png;
        }
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]))
        {
            return MediaFormat.Jpeg;
        }
        if (head.StartsWith("GIF87a"u8) || head.StartsWith("GIF89a"u8))
        {
            return MediaFormat.Gif;
        }
        if (head.Length >= 16 && head.StartsWith("RIFF"u8) && head[8..].StartsWith("WEBPVP8"u8))
        {
            return MediaFormat.WebP;
        }
        if (head.StartsWith("II*\0"u8) || head.StartsWith("MM\0*"u8))
        {
            return MediaFormat.Tiff;
        }
        if (head.Length >= 12 && head[4..].StartsWith("ftyp"u8) && (head[8..].StartsWith("avif"u8) || head[8..].StartsWith("avis"u8)))
        {
            return MediaFormat.Avif;
        }
        if (head.StartsWith("\0\0\0\x0CjP  "u8) || head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0x4F, 0xFF, 0x51]))
        {
            return MediaFormat.Jpeg2000;
        }
        if (head.StartsWith("qoif"u8))
        {
            return MediaFormat.Qoi;
        }
        if (head.Length >= 3 && head[0] == 'P' && head[1] is >= (byte)'1' and <= (byte)'6' && head[2] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
        {
            return MediaFormat.Pnm;
        }
        return IsBmp(head) ? MediaFormat.Bmp : MediaFormat.Unknown;
    }

    /// <summary>What unknown bytes look like, for an error message.</summary>
    /// <param name="head">The first bytes of the item.</param>
    internal static string Describe(ReadOnlySpan<byte> head)
    {
        if (head.IsEmpty)
        {
            return "it is empty";
        }
        if (head.StartsWith("#EXTM3U"u8))
        {
            return "it is a playlist";
        }
        if (head.StartsWith("<svg"u8) || head.StartsWith("<?xml"u8))
        {
            return "it is XML or SVG text";
        }
        ReadOnlySpan<byte> start = head[..Math.Min(head.Length, 32)];
        return start.ContainsAnyExcept(TextBytes)
            ? $"it starts with the bytes {Convert.ToHexStringLower(start[..Math.Min(start.Length, 8)])}"
            : $"it is text that starts with '{Encoding.ASCII.GetString(start).ReplaceLineEndings(" ").Trim()}'";
    }

    private static readonly System.Buffers.SearchValues<byte> TextBytes =
        System.Buffers.SearchValues.Create([9, 10, 13, .. Enumerable.Range(32, 95).Select(code => (byte)code)]);

    // "BM" alone is two letters that a text may start with, so the header's size must be a known one too.
    private static bool IsBmp(ReadOnlySpan<byte> head) => head.Length >= 18 && head.StartsWith("BM"u8)
        && BinaryPrimitives.ReadUInt32LittleEndian(head[14..]) is 12 or 16 or 40 or 52 or 56 or 64 or 108 or 124;
}
