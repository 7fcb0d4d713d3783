namespace MmCluster.Tensors.Tests;

public abstract partial class DeviceTests
{
    [Fact]
    public void Joining_and_splitting_are_inverse()
    {
        using var scope = new TensorScope();
        Tensor x = Random([4, 6, 5], 1);
        for (int axis = -3; axis < 3; axis++)
        {
            Assert.Equal(x.ToArray<float>(), Ops.Cat(x.Split(2, axis), axis).ToArray<float>());
        }

        Tensor[] parts = x.Split([1, 0, 5], 1);
        Assert.Equal(new Shape(4, 0, 5), parts[1].Shape);
        Assert.Equal(x.ToArray<float>(), Ops.Cat(parts, 1).ToArray<float>());
        Tensor stacked = Ops.Stack([x.Select(2, 3), x.Select(2, 0)], -1);
        Assert.Equal(new Shape(4, 6, 2), stacked.Shape);
        Assert.Equal(x.Select(2, 0).ToArray<float>(), stacked.Select(2, 1).ToArray<float>());
        Assert.Throws<ArgumentException>(() => x.Split([1, 2], 1));
        Assert.Throws<ArgumentException>(() => Ops.Cat([x, x.Select(0, 0)]));
    }

    [Fact]
    public void Picking_and_placing_follow_their_indices()
    {
        using var scope = new TensorScope();
        Tensor table = From([0f, 1, 10, 11, 20, 21], [3, 2]);
        Assert.Equal([20f, 21, 0, 1], Ops.Embedding(table.To(DType.BF16), Of(2L, 0)).To(DType.F32).ToArray<float>());
        Assert.Equal([1f, 11, 21], table.IndexSelect(1, Of(1)).ToArray<float>());
        Assert.Equal([10f, 1], table.Gather(0, From([1L, 0], [1, 2])).ToArray<float>());
        Tensor target = Zeros([3, 2]);
        target.ScatterRows(Of(2, 0), From([5f, 6, 7, 8], [2, 2]));
        Assert.Equal([7f, 8, 0, 0, 5, 6], target.ToArray<float>());
        Assert.Equal([9f, 9, 9, 9, 0, 1], table.Pad([0, 0, 2, 1], 9).ToArray<float>()[..6]);
        Assert.Equal(new Shape(6, 2), table.Pad([0, 0, 2, 1], 9).Shape);
        foreach (long wrong in new[] { 3L, -1, long.MaxValue })
        {
            Assert.Contains(wrong.ToString(), Assert.Throws<ArgumentException>(() => Ops.Embedding(table, Tensor.Of(wrong))).Message, StringComparison.Ordinal);
            Assert.Throws<ArgumentException>(() => target.ScatterRows(Tensor.Of(wrong), Zeros([1, 2])));
        }
    }

    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(2, 3, 5, 7)]
    [InlineData(1, 65, 66, 67)]
    public void Batched_products_broadcast(int batch, int m, int k, int n)
    {
        using var scope = new TensorScope();
        Tensor a = Random([batch, 1, m, k], 1);
        Tensor b = Random([3, n, k], 2).Transpose(1, 2);
        Tensor y = a.MatMul(b);
        Assert.Equal(new Shape(batch, 3, m, n), y.Shape);
        for (int i = 0; i < batch; i++)
        {
            for (int j = 0; j < 3; j++)
            {
                double[] expected = Reference.Linear(
                    a.Select(0, i).ToArray<float>(), b.Select(0, j).Transpose(0, 1).ToArray<float>(), [], m, n, k);
                Reference.Close(y.Select(0, i).Select(0, j), expected);
            }
        }

        Reference.Close(a.MatMul(b.Select(0, 1)).Select(0, 0), Reference.Linear(
            a.Select(0, 0).ToArray<float>(), b.Select(0, 1).Transpose(0, 1).ToArray<float>(), [], m, n, k));
    }
}
