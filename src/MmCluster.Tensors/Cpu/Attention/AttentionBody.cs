using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu.Attention;

/// <summary>
/// Attention of up to 16 rows (tokens times the heads of a group) over their sequence's blocks. Per row and span of four blocks counted from position
/// 0: scores over d in order, one step of the running softmax, values added in the order of positions. A row's result does not depend on the rows
/// beside it, nor on how the queries were cut into steps.
/// </summary>
internal unsafe struct AttentionBody<T, TKv> : IParallelBody
    where T : unmanaged, IVec<T>
    where TKv : struct, IKvElement
{
    private const int Most = AttentionArguments.TaskRows;
    private const int Span = AttentionTiles.Step;
    private const int SpanBlocks = Span / PagedKv.BlockSize;

    internal AttentionArguments Arguments;

    public readonly void Invoke(int part)
    {
        Arguments.Task(part, out int sequence, out int kvHead, out int token);
        int tokens = Math.Min(Arguments.TokensATask, Arguments.Queries(sequence) - token);
        int rows = tokens * Arguments.Group;
        for (int row = 0; row < rows; row += Most)
        {
            Rows(sequence, kvHead, token, row, Math.Min(Most, rows - row));
        }
    }

    private readonly void Rows(int sequence, int kvHead, int token, int row, int rows)
    {
        int padded = rows == 1 ? 1 : (rows + 3) & ~3; // score tiles take 1, 4 or 8 rows
        int step = Arguments.Kv.ValueStep;
        byte* memory = stackalloc byte[(((Arguments.Kv.KeyDim + step + Span + 19) * Most) * sizeof(float)) + 64];
        var q = (float*)(((nint)memory + 63) & ~63); // whole cache lines: vectors that straddle two cost double
        float* sums = q + (Arguments.Kv.KeyDim * Most);
        float* scores = sums + (step * Most);
        float* weights = scores + (Most * Span); // 16 lanes a row, then the largest score, its change, and the factor
        RowState* states = stackalloc RowState[Most];
        byte** keys = stackalloc byte*[SpanBlocks * 4];
        byte** values = keys + SpanBlocks;
        float** keyScales = (float**)(values + SpanBlocks);
        float** valueScales = keyScales + SpanBlocks;
        new Span<float>(sums, step * rows).Clear();
        new Span<float>(weights, Most * 19).Clear();
        new Span<float>(weights + (Most * 16), Most).Fill(float.NegativeInfinity);

        (int first, int end) = Prepare(sequence, kvHead, token, row, rows, states);
        PackQueries(sequence, states, rows, padded, q);
        for (int start = first / Span * Span; start < end; start += Span)
        {
            int from = Math.Max(first - start, 0) / 16;
            int to = Math.Min(SpanBlocks, (end - start + 15) / 16);
            for (int block = from; block < to; block++)
            {
                keys[block] = Arguments.Block(sequence, kvHead, (start / 16) + block);
                values[block] = keys[block] + Arguments.Kv.KeyBytes;
                keyScales[block] = (float*)(values[block] + Arguments.Kv.ValueBytes);
                valueScales[block] = keyScales[block] + PagedKv.BlockSize;
            }

            AttentionTiles.Scores<T, TKv>(q, padded, keys, from, to, Arguments.Kv.KeyDim, scores);
            if (TKv.Scaled)
            {
                AttentionTiles.ScalePositions<T>(scores, rows, keyScales, from, to);
            }

            Advance(sequence, states, rows, start, from * 16, to * 16, scores, weights);
            float* factors = weights + (Most * 18);
            if (TKv.Scaled)
            {
                AttentionTiles.ScalePositions<T>(scores, rows, valueScales, from, to);
            }

            AttentionTiles.AddValues<T, TKv>(scores, factors, rows, values, from * 16, Math.Min(Span, end - start), step, sums);
        }

        for (int r = 0; r < rows; r++)
        {
            float* y = Arguments.Y + (sequence * Arguments.YSequence)
                + ((Arguments.FirstToken(sequence) + states[r].Token) * Arguments.YToken) + (states[r].Head * Arguments.YHead);
            RunningSoftmax.Finish<T>(sums + (r * step), weights + (r * 16), y, Arguments.Kv.ValueDim);
        }
    }

    // What each row is and sees; returns what any of them sees.
    private readonly (int First, int End) Prepare(int sequence, int kvHead, int token, int row, int rows, RowState* states)
    {
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

        return (first, end);
    }

    // [d][rows], scaled; what fills the tile repeats the last row.
    [MethodImpl(CpuBackend.Kernel)]
    private readonly void PackQueries(int sequence, RowState* states, int rows, int padded, float* q)
    {
        float** from = stackalloc float*[Most];
        for (int r = 0; r < padded; r++)
        {
            RowState state = states[Math.Min(r, rows - 1)];
            from[r] = Arguments.Q + (sequence * Arguments.QSequence)
                + ((Arguments.FirstToken(sequence) + state.Token) * Arguments.QToken) + (state.Head * Arguments.QHead);
        }

        int depth = Arguments.Kv.KeyDim;
        if (padded == 1)
        {
            ElementLoops.MapDense<AffineOp, T>(from[0], q, depth, Arguments.Scale, -0f);
            return;
        }

        Vector128<float> scale = Vector128.Create(Arguments.Scale);
        for (int r = 0; r < padded; r += 4)
        {
            int d = 0;
            for (; d + 4 <= depth; d += 4)
            {
                Transpose.Four(
                    Vector128.Load(from[r] + d) * scale,
                    Vector128.Load(from[r + 1] + d) * scale,
                    Vector128.Load(from[r + 2] + d) * scale,
                    Vector128.Load(from[r + 3] + d) * scale,
                    q + (d * padded) + r,
                    padded);
            }

            for (; d < depth; d++)
            {
                for (int i = 0; i < 4; i++)
                {
                    q[(d * padded) + r + i] = from[r + i][d] * Arguments.Scale;
                }
            }
        }
    }

    // Scores of positions [first, end) of the span become weights, and the state goes on.
    [MethodImpl(CpuBackend.Kernel)]
    private readonly void Advance(int sequence, RowState* states, int rows, int start, int first, int end, float* scores, float* weights)
    {
        float* largest = weights + (Most * 16);
        float* change = largest + Most;
        float* factors = change + Most;
        for (int r = 0; r < rows; r++)
        {
            float* s = scores + (r * Span);
            Mask(sequence, states[r], start, first, end, s);
            float top = RunningSoftmax.Top<T>(s, first, end, largest[r]);
            change[r] = top == float.NegativeInfinity ? 0 : largest[r] - top;
            largest[r] = top;
        }

        RunningSoftmax.Factors<T>(change, factors);
        for (int r = 0; r < rows; r++)
        {
            float* s = scores + (r * Span);
            if (states[r].First >= start + end || states[r].End <= start + first || largest[r] == float.NegativeInfinity)
            {
                new Span<float>(s + first, end - first).Clear();
                continue;
            }

            RunningSoftmax.Weigh<T>(s, first, end, largest[r], factors[r], weights + (r * 16));
        }
    }

    // -∞ where the row does not see; what is added to the scores where it does.
    [MethodImpl(CpuBackend.Kernel)]
    private readonly void Mask(int sequence, in RowState row, int start, int first, int end, float* s)
    {
        int from = Math.Clamp(row.First - start, first, end);
        int to = Math.Clamp(row.End - start, from, end);
        if (Arguments.SoftCap > 0)
        {
            RunningSoftmax.Cap<T>(s, first, end, Arguments.SoftCap);
        }

        if (Arguments.Bias != null || Arguments.Mask != null || Arguments.AlibiSlopes != null || Arguments.DistanceBias != null)
        {
            Bias(sequence, row, start, from, to, s);
        }

        for (int i = first; i < from; i++)
        {
            s[i] = float.NegativeInfinity;
        }

        for (int i = to; i < end; i++)
        {
            s[i] = float.NegativeInfinity;
        }
    }

    private readonly void Bias(int sequence, in RowState row, int start, int from, int to, float* s)
    {
        for (int i = from; i < to; i++)
        {
            long key = start + i;
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
