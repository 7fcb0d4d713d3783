using MmCluster.Media.Images;
using MmCluster.Media.Images.Png;

namespace MmCluster.Media.Tests.Images;

public sealed class PngReaderTests
{
    [Fact]
    public void Alpha_that_is_encoded_is_read_back()
    {
        byte[] rgba = new byte[4 * 7 * 5];
        new Random(2).NextBytes(rgba);
        RgbaPicture picture = PngReader.ReadRgba(PngEncoder.Encode(rgba, 7, 5, 4), "x", stop: TestContext.Current.CancellationToken);
        Assert.Equal((7, 5), (picture.Width, picture.Height));
        Assert.Equal(rgba, picture.Pixels.ToArray());
    }

    [Fact]
    public void A_palettes_first_entries_have_alphas_and_the_others_are_opaque()
    {
        byte[] file = PngBuilder.Build(
            4, 1, 8, 3, [0, 0, 1, 2, 1], palette: [10, 20, 30, 40, 50, 60, 70, 80, 90], transparency: [0, 128]);
        Assert.Equal([10, 20, 30, 0, 40, 50, 60, 128, 70, 80, 90, 255, 40, 50, 60, 128], Read(file));
    }

    [Fact]
    public void Palette_entries_of_two_bits_have_alphas()
    {
        byte[] file = PngBuilder.Build(3, 1, 2, 3, [0, 0b01_00_10_00], palette: [1, 1, 1, 2, 2, 2, 3, 3, 3], transparency: [7]);
        Assert.Equal([2, 2, 2, 255, 1, 1, 1, 7, 3, 3, 3, 255], Read(file));
    }

    [Fact]
    public void The_one_transparent_colour_is_compared_over_all_channels_and_bits()
    {
        Assert.Equal([5, 6, 7, 0, 5, 6, 8, 255], Read(PngBuilder.Build(2, 1, 8, 2, [0, 5, 6, 7, 5, 6, 8], transparency: [0, 5, 0, 6, 0, 7])));
        Assert.Equal([9, 9, 9, 0, 8, 8, 8, 255], Read(PngBuilder.Build(2, 1, 8, 0, [0, 9, 8], transparency: [0, 9])));
        Assert.Equal([1, 2, 3, 0, 1, 2, 3, 255], Read(PngBuilder.Build(
            2, 1, 16, 2, [0, 1, 0, 2, 0, 3, 0, 1, 0, 2, 0, 3, 1], transparency: [1, 0, 2, 0, 3, 0])));
    }

    [Fact]
    public void Alphas_of_sixteen_bits_keep_their_high_byte()
    {
        Assert.Equal([1, 2, 3, 200], Read(PngBuilder.Build(1, 1, 16, 6, [0, 1, 9, 2, 9, 3, 9, 200, 9])));
        Assert.Equal([4, 4, 4, 77], Read(PngBuilder.Build(1, 1, 8, 4, [0, 4, 77])));
    }

    [Fact]
    public void Colours_are_those_of_the_other_reader_interlaced_or_not()
    {
        foreach (string path in Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "images"), "png-c*.png"))
        {
            byte[] file = File.ReadAllBytes(path);
            RgbaPicture rgba = PngReader.ReadRgba(file, path, stop: TestContext.Current.CancellationToken);
            using Picture rgb = PngDecoder.Decode(file, MediaLimits.Default, TestContext.Current.CancellationToken).Picture;
            Assert.Equal(rgb.Pixels.ToArray(), rgba.Pixels.ToArray().Where((_, i) => i % 4 != 3));
        }
    }

    [Fact]
    public void What_is_no_png_or_damaged_or_too_large_is_refused_by_name()
    {
        byte[] good = PngBuilder.Build(2, 1, 8, 0, [0, 9, 8]);
        Refused(new byte[10]);
        Refused([]);
        Refused(good[..40]);
        Refused(PngBuilder.Build(2, 1, 8, 3, [0, 0, 0]));
        Refused(PngBuilder.Build(2, 1, 8, 2, [0, 5, 6, 7, 5, 6, 8], transparency: [0, 5]));
        Refused(good, new MediaLimits { MaxPixels = 1 });
    }

    private static void Refused(byte[] file, MediaLimits? limits = null)
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => PngReader.ReadRgba(file, "thing", limits));
        Assert.StartsWith("thing: ", error.Message, StringComparison.Ordinal);
    }

    private static byte[] Read(byte[] file) => PngReader.ReadRgba(file, "x").Pixels.ToArray();
}
