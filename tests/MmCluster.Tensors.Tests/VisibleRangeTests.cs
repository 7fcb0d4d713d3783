namespace MmCluster.Tensors.Tests;

/// <summary>Paged attention over a range of positions a token; the processor alone has it.</summary>
public sealed class VisibleRangeTests
{
    [Fact]
    public void A_token_sees_positions_between_its_start_and_its_end()
    {
        using var scope = new TensorScope();
        using var kv = new PagedKv(6, 1, 24);
        Tensor k = Reference.Random([90, 1, 24], 1);
        Ops.Append(k, k, kv, new PagedBatch
        {
            QueryStarts = Tensor.Of(0, 90),
            SequenceLengths = Tensor.Of(90),
            BlockTables = Tensor.From([0, 1, 2, 3, 4, 5], [1, 6]),
            SlotMapping = Tensor.From(Enumerable.Range(0, 90).ToArray(), [90]),
            Positions = Tensor.From(Enumerable.Range(0, 90).ToArray(), [90]),
        });
        Tensor q = Reference.Random([5, 1, 24], 2);
        int[] starts = [0, 3, 16, 70, 0];
        int[] ends = [90, 5, 81, 90, 0];
        Tensor y = Ops.PagedAttention(q, kv, new PagedBatch
        {
            QueryStarts = Tensor.Of(0, 5),
            SequenceLengths = Tensor.Of(90),
            BlockTables = Tensor.From([0, 1, 2, 3, 4, 5], [1, 6]),
            SlotMapping = Tensor.Full([5], -1, DType.I32),
            Positions = Tensor.Full([5], 0, DType.I32),
            VisibleStarts = Tensor.From(starts, [5]),
            VisibleEnds = Tensor.From(ends, [5]),
        }, new AttentionOptions { Causal = false });
        float[][] rows = [.. Enumerable.Range(0, 90).Select(i => k.Select(0, i).Select(0, 0).ToArray<float>())];
        for (int i = 0; i < 5; i++)
        {
            double[] expected = Reference.Attend(
                q.Select(0, i).Select(0, 0).ToArray<float>(), rows, rows, 1 / Math.Sqrt(24), j => j >= starts[i] && j < ends[i] ? 0 : null);
            Reference.Close(y.Select(0, i).Select(0, 0).Contiguous(), expected, 2e-6);
        }
    }
}
