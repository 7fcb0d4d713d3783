using MmCluster.Media.External;
using MmCluster.Media.Images;

namespace MmCluster.Media.Tests.Images;

public sealed class FormatTests
{
    [Theory]
    [InlineData("png-c2-d8.png", MediaFormat.Png)]
    [InlineData("bmp-8-os2.bmp", MediaFormat.Bmp)]
    [InlineData("jpeg-s0.jpg", MediaFormat.Jpeg)]
    [InlineData("webp-lossy-96x64.webp", MediaFormat.WebP)]
    [InlineData("gif-animated.gif", MediaFormat.Gif)]
    [InlineData("tiff-lzw.tiff", MediaFormat.Tiff)]
    [InlineData("still.avif", MediaFormat.Avif)]
    [InlineData("jpeg2000.jp2", MediaFormat.Jpeg2000)]
    [InlineData("pgm.pgm", MediaFormat.Pnm)]
    [InlineData("still.qoi", MediaFormat.Qoi)]
    [InlineData("pictures.json", MediaFormat.Unknown)]
    public void A_format_is_told_by_its_first_bytes(string file, MediaFormat format)
    {
        byte[] bytes = Vectors.Read(file);
        Assert.Equal(format, MediaSniffer.Sniff(bytes));
        for (int length = 0; length < 40; length++) // a short head is never read past
        {
            Assert.Contains(MediaSniffer.Sniff(bytes.AsSpan(0, length)), (MediaFormat[])[format, MediaFormat.Unknown]);
        }
    }

    [Fact]
    public async Task The_file_name_means_nothing()
    {
        using Picture picture = await new PictureReader().DecodeAsync(
            Vectors.Read("jpeg-s0.jpg"), "cat.png", TestContext.Current.CancellationToken);
        Assert.Equal((67, 45), (picture.Width, picture.Height));
    }

    [Fact]
    public async Task QOI_decodes_to_the_lossless_picture_it_was_made_from()
    {
        using Picture expected = await Pictures.ReadAsync("webp-lossless.webp");
        using Picture picture = await Pictures.ReadAsync("still.qoi");
        Assert.True(expected.Pixels.SequenceEqual(picture.Pixels));
    }

    [Theory]
    [InlineData("still.avif", "webp-lossless.webp", 6)]
    public async Task Lossy_formats_come_close(string file, string reference, double bound)
    {
        using Picture expected = await Pictures.ReadAsync(reference);
        using Picture picture = await Pictures.ReadAsync(file);
        Assert.Equal((expected.Width, expected.Height), (picture.Width, picture.Height));
        double sum = 0;
        for (int i = 0; i < picture.Pixels.Length; i++)
        {
            sum += Math.Abs(picture.Pixels[i] - expected.Pixels[i]);
        }
        Assert.InRange(sum / picture.Pixels.Length, 0, bound);
    }

    [Fact]
    public async Task A_missing_program_is_named_with_its_package()
    {
        var process = new FfmpegProcess(MediaLimits.Default, TimeProvider.System) { SearchPath = "/nowhere:relative" };
        MissingDependencyException error = await Assert.ThrowsAsync<MissingDependencyException>(
            () => new PictureReader(MediaLimits.Default, process).DecodeAsync(
                Vectors.Read("still.qoi"), "x.qoi", TestContext.Current.CancellationToken));
        Assert.Equal("ffmpeg", error.Package);
        Assert.Equal("x.qoi: this format needs the program ffmpeg: install the package ffmpeg (apt-get install ffmpeg)", error.Message);
    }

    [Fact]
    public void The_content_hash_is_SHA256()
    {
        Assert.Equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", ContentHash.ComputeHex("abc"u8));
        Assert.Equal(ContentHash.ComputeHex("abc"u8), Convert.ToHexStringLower(ContentHash.Compute("abc"u8)));
    }

    [Fact]
    public void A_disposed_picture_gives_no_pixels()
    {
        Picture picture = Pictures.Random(3, 3, seed: 1);
        picture.Dispose();
        picture.Dispose();
        Assert.Throws<ObjectDisposedException>(() => picture.Pixels.Length);
        Assert.Throws<ArgumentException>(() => Picture.FromRgb(2, 2, new byte[11]));
    }
}
