namespace MmCluster.Tensors.Tests;

public sealed class RandomTests
{
    // Random123's known answers for philox4x32-10.
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0ul, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(~0u, ~0u, ~0u, ~0u, ~0ul, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0x299f31d0a4093822ul, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Philox_gives_the_published_vectors(uint c0, uint c1, uint c2, uint c3, ulong key, uint x0, uint x1, uint x2, uint x3) =>
        Assert.Equal((x0, x1, x2, x3), Philox.Next(c0, c1, c2, c3, key));

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F16)]
    [InlineData(DType.BF16)]
    public void Normal_numbers_have_the_mean_and_spread_asked_for(DType dtype)
    {
        using Tensor x = Tensor.Normal([300, 1000], seed: 7, mean: 0.5f, std: 2, dtype);
        using Tensor wide = x.To(DType.F32);
        float[] values = wide.ToArray<float>();
        double mean = values.Average();
        double variance = values.Average(value => (value - mean) * (value - mean));
        double beyondTwo = values.Count(value => Math.Abs(value - 0.5) > 4) / (double)values.Length;
        Assert.Equal(0.5, mean, 0.02);
        Assert.Equal(4, variance, 0.05);
        Assert.Equal(0.0455, beyondTwo, 0.002);
    }

    [Fact]
    public void A_number_depends_on_seed_and_place_alone()
    {
        using Tensor whole = Tensor.Normal([40_003], seed: 3);
        using Tensor part = Tensor.Normal([7], seed: 3);
        using Tensor other = Tensor.Normal([7], seed: 4);
        Assert.Equal(whole.ToArray<float>()[..7], part.ToArray<float>());
        Assert.NotEqual(other.ToArray<float>(), part.ToArray<float>());
        Assert.All(whole.ToArray<float>(), value => Assert.True(float.IsFinite(value)));
    }
}
