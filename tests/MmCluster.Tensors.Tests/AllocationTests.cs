namespace MmCluster.Tensors.Tests;

/// <summary>A decoder's step allocates nothing on the managed heap once its scope has recycled a first time.</summary>
public sealed class AllocationTests
{
    [Theory]
    [InlineData(1, DType.BF16)]
    [InlineData(7, DType.F32)]
    [InlineData(5, DType.Q8_0)]
    [InlineData(1, DType.Q4_0)]
    public void A_layer_runs_without_allocating(int tokens, DType dtype)
    {
        using var scope = new TensorScope();
        using LinearWeight qkv = LinearWeight.Pack(Reference.Random([96, 64], 1), dtype);
        using LinearWeight gateUp = LinearWeight.Pack(Reference.Random([200, 64], 2), dtype);
        using LinearWeight down = LinearWeight.Pack(Reference.Random([64, 100], 3), dtype);
        using var kv = new PagedKv(4, 1, 16);
        Tensor x = Reference.Random([tokens, 64], 4);
        Tensor norm = Tensor.Ones([64]);
        var table = new RopeTable(Reference.Random([32, 8], 5), Reference.Random([32, 8], 6));
        var batch = new PagedBatch
        {
            QueryStarts = Tensor.Of(0, tokens),
            SequenceLengths = Tensor.Of(tokens),
            BlockTables = Tensor.From([3, 1], [1, 2]),
            SlotMapping = Tensor.From(Enumerable.Range(48, tokens).ToArray(), [tokens]),
            Positions = Tensor.From(Enumerable.Range(0, tokens).ToArray(), [tokens]),
        };

        void Step()
        {
            using var step = new TensorScope(recycle: true);
            Tensor residual = x.Clone();
            Tensor projected = residual.RmsNorm(norm).Linear(qkv);
            Tensor q = projected.Slice(1, 0, 64).Reshape(tokens, 4, 16);
            Tensor k = projected.Slice(1, 64, 80).Reshape(tokens, 1, 16);
            Tensor v = projected.Slice(1, 80).Reshape(tokens, 1, 16);
            Ops.RopeAndAppend(q, k, v, table, kv, batch);
            Tensor attended = Ops.PagedAttention(q, kv, batch, new AttentionOptions()).Reshape(tokens, 64);
            Tensor gates = Ops.AddRmsNorm(attended, residual, norm).Linear(gateUp);
            Tensor fed = Ops.SiluMul(gates.Slice(1, 0, 100), gates.Slice(1, 100)).Linear(down);
            (residual + fed).Softmax().Argmax();
            Ops.ScaledDotProductAttention(q.Unsqueeze(0).Transpose(1, 2), k.Unsqueeze(0).Transpose(1, 2), v.Unsqueeze(0).Transpose(1, 2));
        }

        for (int i = 0; i < 60; i++)
        {
            Step();
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        Step();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
