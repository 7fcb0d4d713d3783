namespace MmCluster.Tensors.Tests.Cuda;

/// <summary>
/// A ragged batch over a cache of scattered blocks whose unwritten positions are NaN: sequence s has queries[s] new tokens behind prefixes[s] cached ones.
/// </summary>
internal sealed class PagedCase
{
    private readonly int[][] _blocks;
    private readonly float[] _cache;
    private readonly (int KvHeads, int Dim) _shape;

    internal PagedCase(HalfTensors half, int[] queries, int[] prefixes, int kvHeads, int dim, bool newestIsMissing)
    {
        _shape = (kvHeads, dim);
        Queries = queries;
        Lengths = [.. queries.Zip(prefixes, (n, p) => n + p)];
        int[] counts = [.. Lengths.Select(n => (n + 15) / 16)];
        int total = counts.Sum() + 3;
        int[] shuffled = [.. Enumerable.Range(0, total)];
        new Random(5).Shuffle(shuffled);
        int at = 0;
        _blocks = [.. counts.Select(n => shuffled[at..(at += n)])];

        float[] values = new float[total * kvHeads * 2 * 16 * dim];
        Array.Fill(values, float.NaN);
        float[] random = Reference.Values(values.Length, 9);
        for (int s = 0; s < queries.Length; s++)
        {
            for (int p = 0; p < Lengths[s] - (newestIsMissing ? 1 : 0); p++)
            {
                for (int i = 0; i < kvHeads * dim * 2; i++)
                {
                    int to = At(s, p, i / 2 / dim, i % 2 == 1) + (i / 2 % dim);
                    values[to] = random[to];
                }
            }
        }

        Cache = half.From(values, [total, kvHeads, 2, 16, dim]);
        _cache = HalfTensors.Values(Cache);
        int width = Math.Max(1, counts.Max()) + 1;
        int[] starts = new int[queries.Length + 1];
        for (int s = 0; s < queries.Length; s++)
        {
            starts[s + 1] = starts[s] + queries[s];
        }

        Starts = starts;
        Positions = [.. queries.SelectMany((n, s) => Enumerable.Range(Lengths[s] - n, n))];
        int[] slots = [.. queries.SelectMany((n, s) => Enumerable.Range(Lengths[s] - n, n).Select(p => (_blocks[s][p / 16] * 16) + (p % 16)))];
        Batch = new PagedBatch
        {
            QueryStarts = half.Ints(starts),
            SequenceLengths = half.Ints(Lengths),
            BlockTables = half.Ints([.. _blocks.SelectMany(b => b.Concat(Enumerable.Repeat(-1, width - b.Length)))]).Reshape(queries.Length, width),
            SlotMapping = half.Ints(slots),
            Positions = half.Ints(Positions),
            MaxQueries = queries.Max(),
        };
    }

    internal int[] Queries { get; }

    internal int[] Lengths { get; }

    internal int[] Starts { get; }

    internal int[] Positions { get; }

    internal Tensor Cache { get; }

    internal PagedBatch Batch { get; }

    /// <summary>Keys or values of one head, [length][dim]; the newest, where it is not in the cache, from <paramref name="newest"/>.</summary>
    internal float[][] Rows(int sequence, int head, bool values, Func<int, double>? newest = null) =>
        [.. Enumerable.Range(0, Lengths[sequence]).Select(p => newest is not null && p == Lengths[sequence] - 1
            ? [.. Enumerable.Range(0, _shape.Dim).Select(d => (float)newest(d))]
            : _cache[At(sequence, p, head, values)..(At(sequence, p, head, values) + _shape.Dim)])];

    private int At(int sequence, int position, int head, bool values) =>
        ((((((_blocks[sequence][position / 16] * _shape.KvHeads) + head) * 2) + (values ? 1 : 0)) * 16) + (position % 16)) * _shape.Dim;
}
