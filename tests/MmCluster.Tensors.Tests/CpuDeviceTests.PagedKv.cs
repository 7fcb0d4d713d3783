namespace MmCluster.Tensors.Tests;

// Keys and values as the processor keeps them.
public sealed partial class CpuDeviceTests
{
    [Theory]
    [InlineData(DType.F32, 4 * 16 * (33 + 48) * 2)]
    [InlineData(DType.BF16, 2 * 16 * (33 + 48) * 2)]
    [InlineData(DType.Q8_0, ((16 * (33 + 48)) + 128) * 2)]
    public void A_block_takes_the_bytes_of_its_type(DType dtype, long bytes)
    {
        using var kv = new PagedKv(3, 2, 33, dtype, Device);
        Assert.Equal(bytes, kv.BlockBytes);
        Assert.Equal(bytes, PagedKv.BytesABlock(2, 33, dtype));
        Assert.Equal(bytes, kv.Block(2).Length);
    }

    [Fact]
    public void Keys_and_values_are_kept_in_known_types_only() =>
        Assert.Contains("Q4_0", Assert.Throws<ArgumentException>(() => new PagedKv(1, 1, 32, DType.Q4_0, Device)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void What_is_no_number_is_not_hidden_by_quantization(float wrong)
    {
        using var scope = new TensorScope();
        using var kv = new PagedKv(1, 1, 32, DType.Q8_0, Device);
        PagedBatch batch = Batch([(0, 0, 2)], [[0]]);
        foreach (bool inKey in new[] { true, false })
        {
            float[] rows = Reference.Values(64);
            rows[5] = wrong;
            Tensor broken = From(rows, [2, 1, 32]);
            Tensor fine = Random([2, 1, 32], 2);
            Ops.Append(inKey ? broken : fine, inKey ? fine : broken, kv, batch);
            Tensor y = Ops.PagedAttention(Random([2, 1, 32], 3), kv, batch, new());
            Assert.Contains(float.NaN, y.Select(0, 1).ToArray<float>());
        }
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(1e-40f)]
    [InlineData(1e30f)]
    public void Values_of_any_size_are_kept(float size)
    {
        using var scope = new TensorScope();
        using var kv = new PagedKv(1, 1, 32, DType.Q8_0, Device);
        Tensor v = Random([1, 1, 32]).Mul(Scalar(size));
        PagedBatch batch = Batch([(0, 0, 1)], [[0]]);
        Ops.Append(Zeros([1, 1, 32]), v, kv, batch);
        float[] values = v.ToArray<float>();
        float[] read = Ops.PagedAttention(Random([1, 1, 32]), kv, batch, new()).ToArray<float>();
        Assert.All(values.Zip(read), pair => Assert.InRange(pair.Second, pair.First - (size / 250) - 1e-37f, pair.First + (size / 250) + 1e-37f));
    }
}
