using System.Runtime.CompilerServices;
using MmCluster.Tensors.Cpu.Linear;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu.Attention;

/// <summary>The products of attention over a span of four blocks of 16 positions; scores and weights are [rows][64].</summary>
internal static unsafe class AttentionTiles
{
    /// <summary>Positions of a span: the running softmax advances by spans counted from position 0.</summary>
    internal const int Step = 64;

    /// <summary>
    /// scores[row][16 b ..] = q[d][rows] keys of block b, for blocks from first to end; each score is a chain of fused multiply-adds over d. Rows are 1
    /// or a multiple of 4.
    /// </summary>
    internal static void Scores<T, TKv>(float* q, int rows, byte** blocks, int first, int end, int depth, float* scores)
        where T : struct, IVec<T>
        where TKv : struct, IKvElement
    {
        if (T.Count == 16)
        {
            for (int block = first; block < end; block += 2)
            {
                int second = Math.Min(block + 1, end - 1); // an odd last block counts twice
                AllRows<T, TKv>(q, rows, blocks[block], blocks[second], depth, scores + (block * 16), (second - block) * 16);
            }

            return;
        }

        for (int block = first; block < end; block++)
        {
            for (int column = 0; column < 16; column += 2 * T.Count)
            {
                byte* keys = blocks[block] + (column * TKv.Size);
                AllRows<T, TKv>(q, rows, keys, keys + (T.Count * TKv.Size), depth, scores + (block * 16) + column, T.Count);
            }
        }
    }

    private static void AllRows<T, TKv>(float* q, int rows, byte* first, byte* second, int depth, float* scores, int gap)
        where T : struct, IVec<T>
        where TKv : struct, IKvElement
    {
        if (rows == 1)
        {
            Scores<T, TKv, Rows1>(q, rows, first, second, depth, scores, gap);
            return;
        }

        int row = 0;
        for (; T.Count == 16 && row + 8 <= rows; row += 8)
        {
            Scores<T, TKv, Rows8>(q + row, rows, first, second, depth, scores + (row * Step), gap);
        }

        for (; row < rows; row += 4)
        {
            Scores<T, TKv, Rows4>(q + row, rows, first, second, depth, scores + (row * Step), gap);
        }
    }

    [MethodImpl(CpuBackend.Kernel)]
    private static void Scores<T, TKv, TRows>(float* q, int qStep, byte* keys, byte* next, int depth, float* scores, int gap)
        where T : struct, IVec<T>
        where TKv : struct, IKvElement
        where TRows : struct, IRows
    {
        T a0 = T.Zero, b0 = T.Zero;
        T a1 = T.Zero, b1 = T.Zero;
        T a2 = T.Zero, b2 = T.Zero;
        T a3 = T.Zero, b3 = T.Zero;
        T a4 = T.Zero, b4 = T.Zero;
        T a5 = T.Zero, b5 = T.Zero;
        T a6 = T.Zero, b6 = T.Zero;
        T a7 = T.Zero, b7 = T.Zero;
        for (int d = 0; d < depth; d++, q += qStep, keys += 16 * TKv.Size, next += 16 * TKv.Size)
        {
            T first = TKv.Load<T>(keys), second = TKv.Load<T>(next), x;
            x = T.Splat(q[0]); a0 = T.Fma(x, first, a0); b0 = T.Fma(x, second, b0);
            if (TRows.Value > 1)
            {
                x = T.Splat(q[1]); a1 = T.Fma(x, first, a1); b1 = T.Fma(x, second, b1);
            }

            if (TRows.Value > 2)
            {
                x = T.Splat(q[2]); a2 = T.Fma(x, first, a2); b2 = T.Fma(x, second, b2);
            }

            if (TRows.Value > 3)
            {
                x = T.Splat(q[3]); a3 = T.Fma(x, first, a3); b3 = T.Fma(x, second, b3);
            }

            if (TRows.Value > 4)
            {
                x = T.Splat(q[4]); a4 = T.Fma(x, first, a4); b4 = T.Fma(x, second, b4);
            }

            if (TRows.Value > 5)
            {
                x = T.Splat(q[5]); a5 = T.Fma(x, first, a5); b5 = T.Fma(x, second, b5);
            }

            if (TRows.Value > 6)
            {
                x = T.Splat(q[6]); a6 = T.Fma(x, first, a6); b6 = T.Fma(x, second, b6);
            }

            if (TRows.Value > 7)
            {
                x = T.Splat(q[7]); a7 = T.Fma(x, first, a7); b7 = T.Fma(x, second, b7);
            }
        }

        a0.Store(scores); b0.Store(scores + gap);
        if (TRows.Value > 1)
        {
            a1.Store(scores + (1 * Step)); b1.Store(scores + (1 * Step) + gap);
        }

        if (TRows.Value > 2)
        {
            a2.Store(scores + (2 * Step)); b2.Store(scores + (2 * Step) + gap);
        }

        if (TRows.Value > 3)
        {
            a3.Store(scores + (3 * Step)); b3.Store(scores + (3 * Step) + gap);
        }

        if (TRows.Value > 4)
        {
            a4.Store(scores + (4 * Step)); b4.Store(scores + (4 * Step) + gap);
        }

        if (TRows.Value > 5)
        {
            a5.Store(scores + (5 * Step)); b5.Store(scores + (5 * Step) + gap);
        }

        if (TRows.Value > 6)
        {
            a6.Store(scores + (6 * Step)); b6.Store(scores + (6 * Step) + gap);
        }

        if (TRows.Value > 7)
        {
            a7.Store(scores + (7 * Step)); b7.Store(scores + (7 * Step) + gap);
        }
    }

    /// <summary>rows [rows][64] times the positions' scales, 16 a block, for blocks from first to end.</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void ScalePositions<T>(float* scores, int rows, float** scales, int first, int end) where T : struct, IVec<T>
    {
        for (int block = first; block < end; block++)
        {
            for (int lane = 0; lane < 16; lane += T.Count)
            {
                T scale = T.Load(scales[block] + lane);
                for (float* s = scores + (block * 16) + lane; s < scores + (rows * Step); s += Step)
                {
                    (T.Load(s) * scale).Store(s);
                }
            }
        }
    }

    /// <summary>sums[row] = sums[row] factor[row] + Σ weights[row][j] values[j] over positions from first (a whole block) to end, in order.</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void AddValues<T, TKv>(float* weights, float* factors, int rows, byte** blocks, int first, int end, int step, float* sums)
        where T : struct, IVec<T>
        where TKv : struct, IKvElement
    {
        int column = 0;
        for (; column + (4 * T.Count) <= step; column += 4 * T.Count)
        {
            int row = 0;
            for (; T.Count == 16 && row + 4 <= rows; row += 4)
            {
                AddValues<T, TKv, Rows4>(weights + (row * Step), factors + row, blocks, column, first, end, step, sums + (row * step) + column);
            }

            for (; row + 2 <= rows; row += 2)
            {
                AddValues<T, TKv, Rows2>(weights + (row * Step), factors + row, blocks, column, first, end, step, sums + (row * step) + column);
            }

            if (row < rows)
            {
                AddValues<T, TKv, Rows1>(weights + (row * Step), factors + row, blocks, column, first, end, step, sums + (row * step) + column);
            }
        }

        for (; column < step; column += T.Count)
        {
            for (int row = 0; row < rows; row++)
            {
                float* to = sums + (row * step) + column;
                T sum = T.Load(to) * T.Splat(factors[row]);
                for (int j = first; j < end; j++)
                {
                    sum = T.Fma(T.Splat(weights[(row * Step) + j]), TKv.Load<T>(blocks[j / 16] + (((j % 16 * step) + column) * TKv.Size)), sum);
                }

                sum.Store(to);
            }
        }
    }

    [MethodImpl(CpuBackend.Kernel)]
    private static void AddValues<T, TKv, TRows>(float* w, float* factors, byte** blocks, int column, int first, int end, int step, float* sums)
        where T : struct, IVec<T>
        where TKv : struct, IKvElement
        where TRows : struct, IRows
    {
        T f;
        T a00 = T.Zero, a01 = T.Zero, a02 = T.Zero, a03 = T.Zero;
        T a10 = T.Zero, a11 = T.Zero, a12 = T.Zero, a13 = T.Zero;
        T a20 = T.Zero, a21 = T.Zero, a22 = T.Zero, a23 = T.Zero;
        T a30 = T.Zero, a31 = T.Zero, a32 = T.Zero, a33 = T.Zero;
        f = T.Splat(factors[0]); a00 = T.Load(sums) * f; a01 = T.Load(sums + T.Count) * f; a02 = T.Load(sums + (2 * T.Count)) * f; a03 = T.Load(sums + (3 * T.Count)) * f;
        if (TRows.Value > 1)
        {
            f = T.Splat(factors[1]); a10 = T.Load(sums + (1 * step)) * f; a11 = T.Load(sums + (1 * step) + T.Count) * f; a12 = T.Load(sums + (1 * step) + (2 * T.Count)) * f; a13 = T.Load(sums + (1 * step) + (3 * T.Count)) * f;
        }

        if (TRows.Value > 2)
        {
            f = T.Splat(factors[2]); a20 = T.Load(sums + (2 * step)) * f; a21 = T.Load(sums + (2 * step) + T.Count) * f; a22 = T.Load(sums + (2 * step) + (2 * T.Count)) * f; a23 = T.Load(sums + (2 * step) + (3 * T.Count)) * f;
        }

        if (TRows.Value > 3)
        {
            f = T.Splat(factors[3]); a30 = T.Load(sums + (3 * step)) * f; a31 = T.Load(sums + (3 * step) + T.Count) * f; a32 = T.Load(sums + (3 * step) + (2 * T.Count)) * f; a33 = T.Load(sums + (3 * step) + (3 * T.Count)) * f;
        }
        for (int block = first / 16; block * 16 < end; block++)
        {
            byte* values = blocks[block] + (column * TKv.Size);
            int last = Math.Min(end, (block + 1) * 16);
            for (int j = block * 16; j < last; j++, values += step * TKv.Size)
            {
                T v0 = TKv.Load<T>(values), v1 = TKv.Load<T>(values + (T.Count * TKv.Size)), x;
                T v2 = TKv.Load<T>(values + (2 * T.Count * TKv.Size)), v3 = TKv.Load<T>(values + (3 * T.Count * TKv.Size));
                x = T.Splat(w[j]); a00 = T.Fma(x, v0, a00); a01 = T.Fma(x, v1, a01); a02 = T.Fma(x, v2, a02); a03 = T.Fma(x, v3, a03);
                if (TRows.Value > 1)
                {
                    x = T.Splat(w[(1 * Step) + j]); a10 = T.Fma(x, v0, a10); a11 = T.Fma(x, v1, a11); a12 = T.Fma(x, v2, a12); a13 = T.Fma(x, v3, a13);
                }

                if (TRows.Value > 2)
                {
                    x = T.Splat(w[(2 * Step) + j]); a20 = T.Fma(x, v0, a20); a21 = T.Fma(x, v1, a21); a22 = T.Fma(x, v2, a22); a23 = T.Fma(x, v3, a23);
                }

                if (TRows.Value > 3)
                {
                    x = T.Splat(w[(3 * Step) + j]); a30 = T.Fma(x, v0, a30); a31 = T.Fma(x, v1, a31); a32 = T.Fma(x, v2, a32); a33 = T.Fma(x, v3, a33);
                }
            }
        }

        a00.Store(sums); a01.Store(sums + T.Count); a02.Store(sums + (2 * T.Count)); a03.Store(sums + (3 * T.Count));
        if (TRows.Value > 1)
        {
            a10.Store(sums + (1 * step)); a11.Store(sums + (1 * step) + T.Count); a12.Store(sums + (1 * step) + (2 * T.Count)); a13.Store(sums + (1 * step) + (3 * T.Count));
        }

        if (TRows.Value > 2)
        {
            a20.Store(sums + (2 * step)); a21.Store(sums + (2 * step) + T.Count); a22.Store(sums + (2 * step) + (2 * T.Count)); a23.Store(sums + (2 * step) + (3 * T.Count));
        }

        if (TRows.Value > 3)
        {
            a30.Store(sums + (3 * step)); a31.Store(sums + (3 * step) + T.Count); a32.Store(sums + (3 * step) + (2 * T.Count)); a33.Store(sums + (3 * step) + (3 * T.Count));
        }
    }
}
