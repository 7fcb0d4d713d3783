using System.Buffers.Binary;
using System.Text;
using MmCluster.Media.Images;

namespace MmCluster.Media.Tests.Images;

public sealed class BadPictureTests
{
    private static readonly PictureReader Reader = new();

    [Theory]
    [InlineData("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "a playlist")]
    [InlineData("ffconcat version 1.0\nfile '/etc/passwd'\n", "text that starts with 'ffconcat")]
    [InlineData("Dear Sir, BM and GIF are formats.", "text that starts with 'Dear Sir")]
    [InlineData("<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>", "SVG")]
    [InlineData("", "empty")]
    [InlineData("BM but a text about BMP files", "text that starts with")]
    [InlineData("\0\0\0\0", "the bytes 00000000")]
    public async Task What_is_no_picture_is_told_as_what_it_is_and_by_name(string text, string words)
    {
        InvalidDataException error = await RefusedAsync(Encoding.ASCII.GetBytes(text), "holiday.png");
        Assert.StartsWith("holiday.png: ", error.Message);
        Assert.Contains(words, error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public async Task A_playlist_named_png_on_disk_is_refused_by_its_path()
    {
        string path = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString("n") + ".png");
        await File.WriteAllTextAsync(path, "#EXTM3U\nhttp://127.0.0.1:1/x.ts\n", TestContext.Current.CancellationToken);
        try
        {
            InvalidDataException error = await Assert.ThrowsAsync<InvalidDataException>(
                () => Reader.ReadFileAsync(path, TestContext.Current.CancellationToken));
            Assert.StartsWith(path, error.Message);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task A_missing_file_and_a_folder_are_named()
    {
        FileNotFoundException missing = await Assert.ThrowsAsync<FileNotFoundException>(
            () => Reader.ReadFileAsync("/nowhere/cat.png", TestContext.Current.CancellationToken));
        Assert.Equal("/nowhere/cat.png: no such file", missing.Message);
        InvalidDataException folder = await Assert.ThrowsAsync<InvalidDataException>(
            () => Reader.ReadFileAsync("/usr", TestContext.Current.CancellationToken));
        Assert.Equal("/usr: is a folder", folder.Message);
    }

    [Fact]
    public async Task A_device_without_an_end_is_read_up_to_the_limit_only()
    {
        var reader = new PictureReader(new MediaLimits { MaxBytes = 100_000 });
        InvalidDataException error = await Assert.ThrowsAsync<InvalidDataException>(
            () => reader.ReadFileAsync("/dev/zero", TestContext.Current.CancellationToken));
        Assert.Contains("100000", error.Message);
    }

    [Fact]
    public async Task A_huge_PNG_header_is_refused_before_pixel_memory()
    {
        byte[] file = PngHeader(60_000, 60_000, 8, 2);
        long before = GC.GetTotalAllocatedBytes(precise: true);
        InvalidDataException error = await RefusedAsync(file, "huge.png");
        Assert.Contains("60000 x 60000", error.Message);
        Assert.True(GC.GetTotalAllocatedBytes(precise: true) - before < 10_000_000);
    }

    [Theory]
    [InlineData(0, 5)]
    [InlineData(5, 0)]
    [InlineData(1, 70_000)]
    [InlineData(0x80000001, 2)]
    public async Task An_impossible_PNG_size_is_refused(uint width, uint height) => await RefusedAsync(PngHeader(width, height, 8, 2), "x.png");

    [Theory]
    [InlineData(3, 2)]
    [InlineData(8, 5)]
    [InlineData(16, 3)]
    public async Task A_PNG_colour_type_that_does_not_exist_is_refused(byte depth, byte color) =>
        Assert.Contains("does not exist", (await RefusedAsync(PngHeader(3, 3, depth, color), "x.png")).Message);

    [Fact]
    public async Task A_wrong_CRC_is_refused()
    {
        byte[] file = Vectors.Read("png-c2-d8.png");
        file[^20] ^= 1; // in the last IDAT or its CRC
        Assert.Contains("CRC", (await RefusedAsync(file, "x.png")).Message);
    }

    [Fact]
    public async Task A_stream_that_wants_a_dictionary_is_refused()
    {
        byte[] file = PngBuilder.Build(4, 4, 8, 2, new byte[100], zlibHeader: 0x7820);
        Assert.Contains("damaged at row 0", (await RefusedAsync(file, "x.png")).Message);
    }

    [Fact]
    public async Task A_decompression_bomb_costs_what_its_header_says()
    {
        // 8 x 8 pixels, and 40 MB of zeros behind them: only the first rows are ever inflated.
        byte[] file = PngBuilder.Build(8, 8, 8, 2, new byte[40_000_000]);
        long before = GC.GetTotalAllocatedBytes(precise: true);
        using Picture picture = await Reader.DecodeAsync(file, "bomb.png", TestContext.Current.CancellationToken);
        Assert.Equal(8, picture.Width);
        Assert.True(GC.GetTotalAllocatedBytes(precise: true) - before < 5_000_000);
    }

    [Theory]
    [InlineData("png-c6-d8.png")]
    [InlineData("png-c0-d1-adam7.png")]
    [InlineData("bmp-24.bmp")]
    [InlineData("bmp-rle8.bmp")]
    [InlineData("jpeg-s2.jpg")]
    [InlineData("jpeg-progressive.jpg")]
    [InlineData("webp-lossless.webp")]
    [InlineData("gif-animated.gif")]
    [InlineData("tiff-lzw.tiff")]
    [InlineData("ppm.ppm")]
    public async Task A_file_cut_in_the_middle_is_refused(string name)
    {
        byte[] file = Vectors.Read(name);
        foreach (int length in (int[])[file.Length / 5, 19, 33])
        {
            await RefusedAsync(file.AsMemory(0, length), name);
        }
    }

    [Theory]
    [InlineData("jpeg-s2.jpg", "67 x 45")]
    [InlineData("webp-lossless.webp", "33 x 21")]
    [InlineData("gif-animated.gif", "33 x 21")]
    [InlineData("tiff-lzw.tiff", "33 x 21")]
    [InlineData("bmp-24.bmp", "29 x 17")]
    [InlineData("png-c6-d8.png", "37 x 26")]
    [InlineData("ppm.ppm", "ffmpeg")] // the program's own limit on pixels
    public async Task Limits_hold_for_every_format(string file, string words)
    {
        var strict = new PictureReader(new MediaLimits { MaxPixels = 100 });
        InvalidDataException error = await Assert.ThrowsAsync<InvalidDataException>(
            () => strict.DecodeAsync(Vectors.Read(file), file, TestContext.Current.CancellationToken));
        Assert.Contains(words, error.Message);
        var tiny = new PictureReader(new MediaLimits { MaxBytes = 50 });
        await Assert.ThrowsAsync<InvalidDataException>(() => tiny.DecodeAsync(Vectors.Read(file), file, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_progressive_JPEG_of_too_many_scans_is_refused()
    {
        var strict = new PictureReader(new MediaLimits { MaxScanPixels = 67 * 45 * 3 });
        InvalidDataException error = await Assert.ThrowsAsync<InvalidDataException>(
            () => strict.DecodeAsync(Vectors.Read("jpeg-progressive.jpg"), "p.jpg", TestContext.Current.CancellationToken));
        Assert.Contains("scans", error.Message);
        using Picture baseline = await strict.DecodeAsync(Vectors.Read("jpeg-s2.jpg"), "b.jpg", TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_JPEG_of_a_kind_that_is_not_read_says_so()
    {
        byte[] file = Vectors.Read("jpeg-s2.jpg");
        file[file.AsSpan().IndexOf((byte[])[0xFF, 0xC0]) + 1] = 0xC3; // lossless
        NotSupportedException error = await Assert.ThrowsAsync<NotSupportedException>(
            () => Reader.DecodeAsync(file, "x.jpg", TestContext.Current.CancellationToken));
        Assert.StartsWith("x.jpg: JPEG: lossless", error.Message);
    }

    [Fact]
    public async Task A_TIFF_of_a_kind_that_ffmpeg_shows_wrong_is_refused()
    {
        NotSupportedException error = await Assert.ThrowsAsync<NotSupportedException>(
            () => Reader.DecodeAsync(Vectors.Read("tiff-jpeg.tiff"), "x.tiff", TestContext.Current.CancellationToken));
        Assert.StartsWith("x.tiff: TIFF: JPEG compression", error.Message);
    }

    [Fact]
    public void Limits_out_of_range_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new MediaLimits { MaxBytes = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new MediaLimits { MaxBytes = int.MaxValue });
        Assert.Throws<ArgumentOutOfRangeException>(() => new MediaLimits { MaxPixels = 1L << 40 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new MediaLimits { MaxToolTime = TimeSpan.Zero });
    }

    private static Task<InvalidDataException> RefusedAsync(ReadOnlyMemory<byte> file, string name) =>
        Assert.ThrowsAsync<InvalidDataException>(() => Reader.DecodeAsync(file, name, TestContext.Current.CancellationToken));

    private static byte[] PngHeader(uint width, uint height, byte depth, byte color)
    {
        byte[] file = PngBuilder.Build(1, 1, depth, color, new byte[100]);
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(16), width);
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(20), height);
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(29), MmCluster.Media.Images.Png.Crc32.Append(0, file.AsSpan(12, 17)));
        return file;
    }
}
