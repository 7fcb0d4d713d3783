using MmCluster.Tensors;

namespace MmCluster.Bench.Cuda;

/// <summary>A ragged batch over scattered blocks: sequence s has Queries[s] new tokens behind Cached[s] tokens.</summary>
internal sealed record Sequences(int[] Queries, int[] Cached)
{
    internal int Tokens => Queries.Sum();

    internal int Blocks => Queries.Zip(Cached, (n, p) => (n + p + PagedKv.BlockSize - 1) / PagedKv.BlockSize).Sum();

    /// <summary>Multiplications and additions of causal attention for so many heads of 128.</summary>
    internal double Operations(int heads) => Queries.Zip(Cached, (n, p) => 4.0 * heads * 128 * n * (p + (n / 2.0))).Sum();

    /// <summary>Some sequences of one new token each.</summary>
    internal static Sequences Decode(int count, int context) => new([.. Enumerable.Repeat(1, count)], [.. Enumerable.Repeat(context - 1, count)]);

    internal PagedBatch Batch(Gpu gpu)
    {
        int[] order = [.. Enumerable.Range(0, Blocks)];
        new Random(7).Shuffle(order);
        int[] counts = [.. Queries.Zip(Cached, (n, p) => (n + p + PagedKv.BlockSize - 1) / PagedKv.BlockSize)];
        int width = counts.Max();
        int[] tables = new int[Queries.Length * width];
        List<int> slots = [];
        List<int> positions = [];
        int[] starts = new int[Queries.Length + 1];
        int first = 0;
        for (int s = 0; s < Queries.Length; s++)
        {
            order.AsSpan(first, counts[s]).CopyTo(tables.AsSpan(s * width));
            first += counts[s];
            starts[s + 1] = starts[s] + Queries[s];
            for (int p = Cached[s]; p < Cached[s] + Queries[s]; p++)
            {
                positions.Add(p);
                slots.Add((tables[(s * width) + (p / PagedKv.BlockSize)] * PagedKv.BlockSize) + (p % PagedKv.BlockSize));
            }
        }

        return new PagedBatch
        {
            QueryStarts = gpu.Ints(starts, [starts.Length]),
            SequenceLengths = gpu.Ints([.. Queries.Zip(Cached, (n, p) => n + p)], [Queries.Length]),
            BlockTables = gpu.Ints(tables, [Queries.Length, width]),
            SlotMapping = gpu.Ints([.. slots], [Tokens]),
            Positions = gpu.Ints([.. positions], [Tokens]),
            MaxQueries = Queries.Max(),
            LeadingSingles = Queries.TakeWhile(n => n == 1).Count(),
        };
    }
}
