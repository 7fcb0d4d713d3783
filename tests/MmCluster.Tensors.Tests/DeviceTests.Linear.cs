namespace MmCluster.Tensors.Tests;

public abstract partial class DeviceTests
{
    public static TheoryData<int, int, int> LinearShapes => new()
    {
        { 1, 64, 32 }, { 1, 1, 1 }, { 2, 65, 33 }, { 3, 127, 31 }, { 5, 32, 64 }, { 6, 96, 1025 }, { 7, 100, 96 }, { 13, 200, 2080 },
        { 0, 64, 32 }, { 20, 33, 70 }, { 33, 10, 1056 }, { 1, 300, 7 }, { 3, 5, 0 },
    };

    [Theory, MemberData(nameof(LinearShapes))]
    public void Linear_in_f32_and_bf16_matches_the_naive_sum(int m, int n, int k)
    {
        using var scope = new TensorScope();
        float[] x = Reference.Values(m * k, 1);
        float[] w = Reference.Values(n * k, 2);
        Tensor bias = Random([n], 3);
        Tensor xs = From(x, [m, k]);
        using LinearWeight f32 = LinearWeight.Pack(From(w, [n, k]), DType.F32, Device);
        Reference.Close(xs.Linear(f32, bias), Reference.Linear(x, w, bias.ToArray<float>(), m, n, k), SumError);
        using LinearWeight bf16 = LinearWeight.Pack(From(w, [n, k]), DType.BF16, Device);
        Tensor stored = bf16.Dequantize();
        Assert.Equal(From(w, [n, k]).To(DType.BF16).To(DType.F32).ToArray<float>(), stored.ToArray<float>());
        Reference.Close(xs.Linear(bf16), Reference.Linear(x, stored.ToArray<float>(), [], m, n, k), SumError);
    }

    [Theory, MemberData(nameof(LinearShapes))]
    public void Quantized_linear_matches_the_naive_sum_over_dequantized_weights(int m, int n, int k)
    {
        using var scope = new TensorScope();
        float[] x = Reference.Values(m * k, 1);
        Tensor source = Random([n, k], 2);
        foreach (DType dtype in new[] { DType.Q8_0, DType.Q4_0 })
        {
            using LinearWeight weight = LinearWeight.Pack(source, dtype, Device);
            float[] stored = weight.Dequantize().ToArray<float>();
            double distance = Reference.RelativeError(stored, [.. source.ToArray<float>().Select(v => (double)v)]);
            Assert.True(distance < (dtype == DType.Q8_0 ? 0.01 : 0.15), $"{dtype}: {distance}");
            Reference.Close(From(x, [m, k]).Linear(weight), Reference.Linear(x, stored, [], m, n, k), 1e-4);
        }
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.Q8_0)]
    [InlineData(DType.Q4_0)]
    public void A_row_has_the_same_bits_alone_and_among_others(DType dtype)
    {
        using var scope = new TensorScope();
        Tensor source = Random([200, 1100], 5);
        using LinearWeight weight = LinearWeight.Pack(source, dtype, Device);
        Tensor x = Random([37, 1100], 6);
        float[][] alone = [.. Enumerable.Range(0, 37).Select(i => x.Slice(0, i, i + 1).Linear(weight).ToArray<float>())];
        for (int m = 2; m <= 37; m++)
        {
            Tensor y = x.Slice(0, 37 - m).Linear(weight);
            for (int row = 0; row < m; row++)
            {
                Assert.Equal(alone[37 - m + row], y.Slice(0, row, row + 1).ToArray<float>());
            }
        }
    }

    [Theory]
    [InlineData(64, 16)]
    [InlineData(200, 33)]
    [InlineData(130, 7)]
    [InlineData(128, 100)]
    public void Bf16_sources_keep_their_bits(int n, int k)
    {
        using var scope = new TensorScope();
        Tensor top = Random([n, k], 1).To(DType.BF16);
        Tensor bottom = Random([70, k], 2).To(DType.BF16);
        using LinearWeight weight = LinearWeight.Pack([top, bottom], DType.BF16, Device);
        Tensor x = Random([3, k], 3);
        using LinearWeight widened = LinearWeight.Pack([top.To(DType.F32), bottom.To(DType.F32)], DType.BF16, Device);
        Assert.Equal(Ops.Cat([top, bottom]).To(DType.F32).ToArray<float>(), weight.Dequantize().ToArray<float>());
        Assert.Equal(x.Linear(widened).ToArray<float>(), x.Linear(weight).ToArray<float>());
    }

    [Fact]
    public void Packed_sources_lie_one_below_the_other_in_any_layout()
    {
        using var scope = new TensorScope();
        Tensor a = Random([40, 64], 1);
        Tensor b = Random([64, 50], 2); // stored [K, N]
        Tensor c = Random([3, 64], 3).To(DType.BF16);
        using LinearWeight weight = LinearWeight.Pack([a, b.Transpose(0, 1), c], DType.F32, Device);
        Tensor all = Ops.Cat([a, b.Transpose(0, 1), c.To(DType.F32)]);
        Assert.Equal(all.ToArray<float>(), weight.Dequantize().ToArray<float>());
        Tensor ids = Of(92L, 0, 40);
        Assert.Equal(all.IndexSelect(0, ids).ToArray<float>(), weight.Rows(ids).ToArray<float>());
        Assert.Throws<ArgumentException>(() => weight.Rows(Tensor.Of(93L)));
    }

    [Fact]
    public void Linear_reads_columns_of_a_wider_tensor_and_fuses_its_activation()
    {
        using var scope = new TensorScope();
        Tensor wide = Random([2, 5, 96], 1);
        Tensor x = wide.Slice(2, 16, 80);
        using LinearWeight weight = LinearWeight.Pack(Random([70, 64], 2), DType.F32, Device);
        Tensor bias = Random([70], 3);
        Tensor expected = x.Clone().Linear(weight, bias).Gelu();
        Assert.Equal(expected.ToArray<float>(), x.Linear(weight, bias, Activation.Gelu).ToArray<float>());
        string error = Assert.Throws<ArgumentException>(() => wide.Linear(weight)).Message;
        Assert.Contains("[2, 5, 96]", error, StringComparison.Ordinal);
    }
}
