using MmCluster.Tensors.Cuda;

namespace MmCluster.Tensors.Tests;

/// <summary>Products on a GPU as they are chosen when results may depend on the number of rows: few or many, in every format of weights and rows.</summary>
[Collection(CudaTests.Name)]
public sealed class CudaLinearTests
{
    private readonly Device _device = CudaTests.Require();

    public static MatrixTheoryData<DType, DType, int> Cases => new(
        [DType.F32, DType.F16, DType.BF16, DType.F8E4M3, DType.Q8_0, DType.Q4_0], [DType.F32, DType.F16, DType.BF16], [1, 9, 16, 17, 100]);

    [Theory, MemberData(nameof(Cases))]
    public void Every_format_matches_the_naive_sum_over_what_it_stores(DType format, DType rows, int m)
    {
        CudaProperties gpu = CudaContext.Get(0).Properties;
        Assert.SkipWhen(format == DType.F8E4M3 && gpu.Major < 9 && gpu is not { Major: 8, Minor: 9 }, $"{gpu.Name} has no F8E4M3");
        const int N = 203, K = 320;
        using var scope = new TensorScope();
        Tensor source = Reference.Random([N, K], 1);
        using LinearWeight weight = LinearWeight.Pack(source, format, _device);
        float[] stored = weight.Dequantize().ToArray<float>();
        double distance = Reference.RelativeError(stored, [.. source.ToArray<float>().Select(v => (double)v)]);
        Assert.InRange(distance, 0, format switch { DType.F32 => 0, DType.F16 => 5e-4, DType.BF16 => 4e-3, DType.F8E4M3 => 0.04, DType.Q8_0 => 0.01, _ => 0.15 });

        Tensor x = Reference.Random([m, K], 2).To(_device).To(rows);
        Tensor bias = Reference.Random([N], 3).To(_device);
        float[] met = (rows != DType.F32 && (format is DType.F16 or DType.BF16) ? x.To(format) : x).To(DType.F32).ToArray<float>(); // 16-bit floats meet in the matrix's type
        double[] expected = Reference.Linear(met, stored, bias.ToArray<float>(), m, N, K);
        double tolerance = rows switch { DType.F32 => 1e-5, DType.F16 => 2e-3, _ => 1e-2 };
        Tensor y = x.Linear(weight, bias);
        Assert.Equal(rows, y.DType);
        Reference.Close(y.To(DType.F32), expected, tolerance);
        Tensor logits = x.Linear(weight, bias, output: Tensor.Empty([m, N], DType.F32, _device));
        Reference.Close(logits, expected, rows == DType.F32 || m <= 16 || format is DType.F32 or DType.F16 or DType.BF16 ? 1e-5 : tolerance);

        Tensor residual = Reference.Random([m, N], 4).To(_device).To(rows);
        float[] before = residual.To(DType.F32).ToArray<float>();
        Ops.LinearAdd(x, weight, bias, residual);
        Reference.Close(residual.To(DType.F32), [.. expected.Zip(before, (a, b) => a + b)], tolerance);
    }

    [Fact]
    public void A_large_product_is_the_sum_of_its_parts()
    {
        using var scope = new TensorScope();
        Tensor x = Reference.Random([512, 4096], 1).To(_device).To(DType.BF16);
        Tensor w = Reference.Random([1024, 4096], 2).To(_device);
        using LinearWeight whole = LinearWeight.Pack(w, DType.BF16, _device);
        using LinearWeight left = LinearWeight.Pack(w.Slice(1, 0, 2048), DType.BF16, _device);
        using LinearWeight right = LinearWeight.Pack(w.Slice(1, 2048), DType.BF16, _device);
        float[] a = x.Slice(1, 0, 2048).Linear(left, output: Tensor.Empty([512, 1024], DType.F32, _device)).ToArray<float>();
        float[] b = x.Slice(1, 2048).Linear(right, output: Tensor.Empty([512, 1024], DType.F32, _device)).ToArray<float>();
        Reference.Close(x.Linear(whole, output: Tensor.Empty([512, 1024], DType.F32, _device)), [.. a.Zip(b, (p, q) => (double)p + q)], 1e-5);
    }
}
