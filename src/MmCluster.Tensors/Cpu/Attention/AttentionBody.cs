using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu.Attention;

/// <summary>
/// Attention of up to 16 rows (tokens times the heads of a group) over their sequence's blocks. Per row and block of 16 positions: scores over d in
/// order, one step of the running softmax, values added in the order of positions. A block that a row does not see leaves its state
/// bit for bit, so a row's result does not depend on the rows beside it.
/// </summary>
internal unsafe struct AttentionBody<T> : IParallelBody where T : unmanaged, IVec<T>
{
    internal AttentionArguments Arguments;

    public readonly void Invoke(int part)
    {
        Arguments.Task(part, out int sequence, out int kvHead, out int token);
        int tokens = Math.Min(Arguments.TokensATask, Arguments.Queries(sequence) - token);
        int rows = tokens * Arguments.Group;
        for (int row = 0; row < rows; row += AttentionArguments.TaskRows)
        {
            Rows(sequence, kvHead, token, row, Math.Min(AttentionArguments.TaskRows, rows - row));
        }
    }

    private readonly void Rows(int sequence, int kvHead, int token, int row, int rows)
    {
        const int Most = AttentionArguments.TaskRows;
        int padded = rows <= 1 ? 1 : (rows + 3) & ~3; // score tiles of 1, 4 or 8 rows
        float* q = stackalloc float[(Arguments.Kv.KeyDim * Most) + (Arguments.Kv.ValueStep * Most)];
        float* sums = q + (Arguments.Kv.KeyDim * Most);
        float* scores = stackalloc float[Most * 16 * 2];
        float* weights = scores + (Most * 16); // running sums of the 16 lanes
        float* largest = stackalloc float[Most * 2];
        float* factors = largest + Most;
        RowState* states = stackalloc RowState[Most];

        new Span<float>(sums, Arguments.Kv.ValueStep * padded).Clear();
        new Span<float>(weights, Most * 16).Clear();
        new Span<float>(largest, Most).Fill(float.NegativeInfinity);
        int first = int.MaxValue;
        int end = 0;
        for (int r = 0; r < rows; r++)
        {
            (int t, int within) = Math.DivRem(row + r, Arguments.Group);
            states[r].Token = token + t;
            states[r].Head = (kvHead * Arguments.Group) + within;
            Arguments.Visible(sequence, token + t, out states[r].First, out states[r].End);
            first = Math.Min(first, states[r].First);
            end = Math.Max(end, states[r].End);
        }

        PackQueries(sequence, states, rows, padded, q);
        for (int block = first / 16; block * 16 < end; block++)
        {
            float* keys = Arguments.Block(sequence, kvHead, block);
            AttentionTiles.Scores<T>(q, padded, keys, Arguments.Kv.KeyDim, scores);
            if (Adjust(sequence, states, rows, block * 16, scores, largest, weights, factors))
            {
                int count = Math.Min(16, end - (block * 16));
                AttentionTiles.AddValues<T>(scores, factors, rows, keys + Arguments.Kv.KeyFloats, Arguments.Kv.ValueStep, count, sums);
            }
        }

        for (int r = 0; r < rows; r++)
        {
            float* y = Arguments.Y + (sequence * Arguments.YSequence)
                + ((Arguments.FirstToken(sequence) + states[r].Token) * Arguments.YToken) + (states[r].Head * Arguments.YHead);
            AttentionTiles.Finish<T>(sums + (r * Arguments.Kv.ValueStep), weights + (r * 16), y, Arguments.Kv.ValueDim);
        }
    }

    // [d][rows], scaled; rows that fill the tile are zero.
    private readonly void PackQueries(int sequence, RowState* states, int rows, int padded, float* q)
    {
        for (int r = 0; r < padded; r++)
        {
            float* from = r >= rows ? null : Arguments.Q + (sequence * Arguments.QSequence)
                + ((Arguments.FirstToken(sequence) + states[r].Token) * Arguments.QToken) + (states[r].Head * Arguments.QHead);
            for (int d = 0; d < Arguments.Kv.KeyDim; d++)
            {
                q[(d * padded) + r] = from == null ? 0 : from[d] * Arguments.Scale;
            }
        }
    }

    // Scores become weights; factors say by how much the sums so far shrink. Returns whether any row sees the block.
    private readonly bool Adjust(
        int sequence, RowState* states, int rows, int position, float* scores, float* largest, float* weights, float* factors)
    {
        bool any = false;
        for (int r = 0; r < rows; r++)
        {
            float* s = scores + (r * 16);
            int from = Math.Max(states[r].First - position, 0);
            int to = Math.Min(states[r].End - position, 16);
            factors[r] = 1;
            if (from >= to)
            {
                new Span<float>(s, 16).Clear();
                continue;
            }

            if (Arguments.SoftCap > 0)
            {
                AttentionTiles.Cap<T>(s, Arguments.SoftCap);
            }

            if (Arguments.Bias != null || Arguments.Mask != null || Arguments.AlibiSlopes != null
                || Arguments.DistanceBias != null)
            {
                Bias(sequence, states[r], position, from, to, s);
            }

            for (int i = 0; i < from; i++)
            {
                s[i] = float.NegativeInfinity;
            }

            for (int i = to; i < 16; i++)
            {
                s[i] = float.NegativeInfinity;
            }

            any |= AttentionTiles.Advance<T>(s, weights + (r * 16), ref largest[r], ref factors[r]);
        }

        return any;
    }

    private readonly void Bias(int sequence, in RowState row, int position, int from, int to, float* s)
    {
        for (int i = from; i < to; i++)
        {
            long key = position + i;
            if (Arguments.AlibiSlopes != null)
            {
                s[i] += Arguments.AlibiSlopes[row.Head] * (key - Arguments.Position(sequence, row.Token));
            }

            if (Arguments.DistanceBias != null)
            {
                long distance = Math.Clamp(Arguments.Position(sequence, row.Token) - key, 0, Arguments.DistanceCount - 1);
                s[i] += Arguments.DistanceBias[((long)row.Head * Arguments.DistanceCount) + distance];
            }

            if (Arguments.Bias != null)
            {
                s[i] += Arguments.Bias[(sequence * Arguments.BiasStrides[0]) + (row.Head * Arguments.BiasStrides[1])
                    + (row.Token * Arguments.BiasStrides[2]) + (key * Arguments.BiasStrides[3])];
            }

            if (Arguments.Mask != null && Arguments.Mask[(sequence * Arguments.MaskStrides[0]) + (row.Head * Arguments.MaskStrides[1])
                + (row.Token * Arguments.MaskStrides[2]) + (key * Arguments.MaskStrides[3])] == 0)
            {
                s[i] = float.NegativeInfinity;
            }
        }
    }

    private struct RowState
    {
        internal int Token;
        internal int Head;
        internal int First;
        internal int End;
    }
}
