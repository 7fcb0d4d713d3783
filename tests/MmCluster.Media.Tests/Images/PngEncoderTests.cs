using MmCluster.Media.Images;
using MmCluster.Media.Images.Png;

namespace MmCluster.Media.Tests.Images;

public sealed class PngEncoderTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 5)]
    [InlineData(300, 200)]
    public async Task What_is_encoded_is_decoded(int width, int height)
    {
        using Picture picture = Pictures.Random(width, height, seed: width);
        using Picture back = await new PictureReader().DecodeAsync(PngEncoder.Encode(picture), "x", TestContext.Current.CancellationToken);
        Assert.True(picture.Pixels.SequenceEqual(back.Pixels));
    }

    [Fact]
    public async Task Alpha_is_stored_and_our_decoder_drops_it()
    {
        byte[] rgba = new byte[4 * 6];
        new Random(1).NextBytes(rgba);
        byte[] file = PngEncoder.Encode(rgba, 3, 2, 4);
        Assert.Equal(6, file[25]);
        using Picture back = await new PictureReader().DecodeAsync(file, "x", TestContext.Current.CancellationToken);
        Assert.Equal(rgba.Where((_, i) => i % 4 != 3), back.Pixels.ToArray());
    }

    [Fact]
    public void A_wrong_length_is_refused()
    {
        Assert.Throws<ArgumentException>(() => PngEncoder.Encode(new byte[5], 1, 2, 3));
        Assert.Throws<ArgumentException>(() => PngEncoder.Encode(new byte[2], 1, 2, 1));
    }

    [Fact]
    public void The_checksum_is_the_standards()
    {
        Assert.Equal(0xCBF43926u, Crc32.Append(0, "123456789"u8));
        Assert.Equal(0xAE426082u, Crc32.Append(0, "IEND"u8));
    }
}
