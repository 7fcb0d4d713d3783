using MmCluster.Tensors.Cuda;

namespace MmCluster.Tensors.Tests.Cuda;

/// <summary>Deterministic, a row of a 16-bit product has the same bits whatever rows are beside it, at sizes of networks, for which cuBLASLt has many algorithms.</summary>
[Collection(CudaTests.Name)]
public sealed class BatchInvarianceTests
{
    private const int MostRows = 1030;

    [Theory]
    [InlineData(4096, 4096, DType.BF16, DType.BF16)]
    [InlineData(1000, 4096, DType.BF16, DType.F32)]
    [InlineData(12288, 1024, DType.F16, DType.F16)]
    [InlineData(1024, 11008, DType.BF16, DType.BF16)]
    public unsafe void A_rows_bits_do_not_depend_on_the_rows_beside_it(int outputs, int inputs, DType dtype, DType output)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        (Tensor x, Tensor w) = (half.Random([MostRows, inputs]), half.Random([outputs, inputs], 2));
        half.Context.Deterministic = true;
        try
        {
            var matmul = new Matmul(half.Context);
            foreach (int rows in new[] { 2, 8, 16, 17, 33, 64, 100, 128, 129, 256, MostRows })
            {
                float[][] together = HalfTensors.Rows(Product(matmul, 0, rows), outputs);
                foreach (int row in new[] { 0, rows / 2, rows - 1 })
                {
                    Assert.True(Product(matmul, row, 1).AsSpan().SequenceEqual(together[row]), $"row {row} of {rows}");
                }
            }
        }
        finally
        {
            half.Context.Deterministic = false;
        }

        float[] Product(Matmul matmul, int first, int rows)
        {
            Tensor y = half.Poisoned([rows, outputs], output);
            var shape = new MatmulShape(rows, outputs, inputs, inputs, outputs, dtype, output, Adds: false);
            Assert.True(matmul.TryRun(shape, (nint)x.Slice(0, first).Data, (nint)w.Data, (nint)y.Data));
            return HalfTensors.Values(y);
        }
    }
}
