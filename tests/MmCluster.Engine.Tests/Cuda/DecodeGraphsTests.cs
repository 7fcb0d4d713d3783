using MmCluster.Engine.Cuda;

namespace MmCluster.Engine.Tests.Cuda;

public sealed class DecodeGraphsTests
{
    [Theory]
    [InlineData(1, new[] { 1 })]
    [InlineData(3, new[] { 1, 2, 3 })]
    [InlineData(8, new[] { 1, 2, 4, 8 })]
    [InlineData(33, new[] { 1, 2, 4, 8, 16, 24, 32, 33 })]
    public void Sizes_rise_to_the_largest_batch(int most, int[] expected) => Assert.Equal(expected, DecodeGraphs.Sizes(most));

    [Fact]
    public void Parts_of_a_layout_are_apart_and_aligned()
    {
        StepLayout layout = new(rows: 7, sequences: 3, jobs: 2, sampled: 5, width: 8, maxQueries: 4, visible: true, new StepNeeds(TokenTypes: true, MemoryLength: 33, MemoryByMedia: true));
        (int At, int Words)[] parts =
        [
            (layout.Ids, 7), (layout.Positions, 7), (layout.Mapping, 7), (layout.Ends, 7), (layout.Types, 7), (layout.MemoryStarts, 7), (layout.MemoryEnds, 7),
            (layout.Starts, 4), (layout.Lengths, 3), (layout.MemoryLengths, 3), (layout.Sampled, 5),
            (layout.Jobs, 2 * StepLayout.JobWords), (layout.Tables, 24), (layout.MemoryTables, 9),
        ];
        Assert.All(parts, part => Assert.Equal(0, part.At % 4));
        Assert.All(parts.Zip(parts.Skip(1)), pair => Assert.True(pair.First.At + pair.First.Words <= pair.Second.At));
        Assert.True(layout.MemoryTables + 9 <= layout.Words);
    }
}
