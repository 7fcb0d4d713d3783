using MmCluster.Models.Verification;
using MmCluster.Tensors;

namespace MmCluster.Models.Tests.Verification;

public sealed class RaggedRowsTests
{
    [Fact]
    public void Masked_positions_look_at_what_is_seen_before_them_and_leave_nothing_behind()
    {
        using var scope = new TensorScope();
        RaggedRows rows = new(2, 4, new[,] { { 1, 1, 0, 1 }, { 0, 1, 1, 1 } }, positionsSkipPadding: false);
        PagedBatch batch = rows.Batch();

        Assert.Equal([(0, 0), (0, 1), (0, 3), (0, 2), (1, 1), (1, 2), (1, 3), (1, 0)], rows.Tokens);
        Assert.Equal([0, 3, 4, 7, 8], batch.QueryStarts.ToArray<int>());
        Assert.Equal([3, 3, 3, 1], batch.SequenceLengths.ToArray<int>()); // a masked one is as far from what it sees as its column
        Assert.Equal([0, 1, 2, -1, 16, 17, 18, -1], batch.SlotMapping.ToArray<int>());
        Assert.Equal([1, 2, 3, 2, 1, 2, 3, 0], batch.VisibleEnds!.ToArray<int>());
        Assert.Equal([0, 1, 3, 2, 1, 2, 3, 0], batch.Positions.ToArray<int>());
        Assert.Equal(2, rows.Blocks);
    }

    [Fact]
    public void Positions_may_count_seen_tokens_only()
    {
        using var scope = new TensorScope();
        RaggedRows rows = new(1, 4, new[,] { { 0, 1, 1, 0 } }, positionsSkipPadding: true);
        Assert.Equal([0, 1, -1, -1], rows.Batch().Positions.ToArray<int>());
    }

    [Fact]
    public void Rows_go_back_to_their_places()
    {
        using var scope = new TensorScope();
        RaggedRows rows = new(1, 3, new[,] { { 0, 1, 1 } }, positionsSkipPadding: false);
        Tensor padded = rows.Pad(Tensor.From([10f, 11, 20, 21, 0, 1], [3, 2]), 1); // columns 1, 2, then 0
        Assert.Equal([0f, 1, 10, 11, 20, 21], padded.ToArray<float>());
    }
}
