using System.Diagnostics;
using MmCluster.Media.Images;

namespace MmCluster.Media.Tests.Images;

/// <summary>Damaged files of every format: a picture or a clear error, never anything else, never much memory or time.</summary>
public sealed class FuzzTests
{
    private static readonly PictureReader Reader = new(new MediaLimits { MaxPixels = 200_000, MaxToolTime = TimeSpan.FromSeconds(10) });

    [Theory]
    [InlineData("png-c2-d8.png")]
    [InlineData("png-c3-d4-adam7.png")]
    [InlineData("png-c0-d16.png")]
    [InlineData("png-exif6.png")]
    [InlineData("bmp-4.bmp")]
    [InlineData("bmp-16-565.bmp")]
    [InlineData("bmp-24-os2.bmp")]
    [InlineData("bmp-rle8.bmp")]
    [InlineData("jpeg-s2.jpg")]
    [InlineData("jpeg-progressive.jpg")]
    [InlineData("jpeg-cmyk.jpg")]
    [InlineData("jpeg-exif6.jpg")]
    public async Task Managed_and_library_formats_survive_damage(string file)
    {
        byte[] original = Vectors.Read(file);
        var random = new Random(file.Length * 31);
        for (int round = 0; round < 300; round++)
        {
            await TryAsync(Damage(original, random, fixCrc: round % 2 == 0), file);
        }
    }

    [Theory]
    [InlineData("webp-lossless.webp")]
    [InlineData("webp-lossy-35x20.webp")]
    [InlineData("webp-animated.webp")]
    [InlineData("gif-animated.gif")]
    [InlineData("still.avif")]
    [InlineData("jpeg2000.jp2")]
    [InlineData("still.qoi")]
    [InlineData("tiff-lzw.tiff")]
    [InlineData("ppm.ppm")]
    public async Task Formats_left_to_ffmpeg_survive_damage(string file)
    {
        byte[] original = Vectors.Read(file);
        var random = new Random(file.Length);
        for (int round = 0; round < 6; round++)
        {
            await TryAsync(Damage(original, random, fixCrc: false), file);
        }
    }

    [Fact]
    public async Task Random_bytes_behind_any_magic_are_refused_or_decoded()
    {
        byte[][] magics = [[0x89, 80, 78, 71, 13, 10, 26, 10], [0xFF, 0xD8, 0xFF, 0xE0], "BM"u8.ToArray(), [.. "BM"u8, .. new byte[12], 40, 0, 0, 0], []];
        var random = new Random(7);
        for (int round = 0; round < 500; round++)
        {
            byte[] bytes = new byte[random.Next(0, 400)];
            random.NextBytes(bytes);
            magics[round % magics.Length].AsSpan(0, Math.Min(bytes.Length, magics[round % magics.Length].Length)).CopyTo(bytes);
            await TryAsync(bytes, "noise");
        }
    }

    private static async Task TryAsync(byte[] bytes, string name)
    {
        long started = Stopwatch.GetTimestamp();
        try
        {
            using Picture picture = await Reader.DecodeAsync(bytes, name, TestContext.Current.CancellationToken);
            Assert.InRange(picture.Width * picture.Height, 1, 200_000);
        }
        catch (Exception error) when (error is InvalidDataException or NotSupportedException)
        {
            Assert.StartsWith(name + ": ", error.Message);
            Assert.DoesNotContain('\n', error.Message);
        }
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(20), "a small file took longer than its limits");
    }

    private static byte[] Damage(byte[] original, Random random, bool fixCrc)
    {
        byte[] bytes = [.. original];
        switch (random.Next(4))
        {
            case 0:
                bytes = bytes[..random.Next(bytes.Length)];
                break;
            case 1:
                for (int i = 0; i < 8; i++)
                {
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                }
                break;
            case 2: // in the header, where fields count most
                bytes[random.Next(Math.Min(60, bytes.Length))] = (byte)(random.Next(2) == 0 ? 255 : random.Next(256));
                break;
            default:
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                break;
        }
        if (fixCrc)
        {
            FixCrcs(bytes);
        }
        return bytes;
    }

    // Without this no damage would pass a PNG's checksums, and what lies behind them would not be tried.
    private static void FixCrcs(Span<byte> png)
    {
        for (int at = 8; at + 12 <= png.Length;)
        {
            uint length = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(png[at..]);
            if (length > png.Length - at - 12)
            {
                return;
            }
            uint crc = MmCluster.Media.Images.Png.Crc32.Append(0, png.Slice(at + 4, (int)length + 4));
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(png[(at + 8 + (int)length)..], crc);
            at += 12 + (int)length;
        }
    }
}
