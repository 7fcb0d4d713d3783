using System.Runtime.CompilerServices;

namespace MmCluster.Tensors.Cpu.Linear;

/// <summary>Q8_0 and Q4_0 tiles without vector instructions; bit-equal to the vector ones, because the sums of a block are exact integers.</summary>
internal readonly unsafe struct QuantTilesPortable<TFormat> : IQuantTiles where TFormat : struct, IQuantFormat
{
    public static int BlockBytes => TFormat.PanelBytes;

    [MethodImpl(CpuBackend.Kernel)]
    public static void Tile(int rows, int* a, float* sa, int* sums, byte* b, float* c, nint ldc, nint blocks, bool accumulate)
    {
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < QuantPanels.Columns; column++)
            {
                float* to = c + (row * ldc) + column;
                float chain = accumulate ? *to : 0;
                for (nint block = 0; block < blocks; block++)
                {
                    byte* panel = b + (block * TFormat.PanelBytes);
                    byte* q = panel + QuantPanels.ScaleBytes + (2 * column);
                    int sum = TFormat.Sum((short*)(a + (block * 16 * rows) + row), 2 * rows, q) - (TFormat.HasOffset ? sums[(block * rows) + row] : 0);
                    float scale = sa[(block * rows) + row] * (float)((Half*)panel)[column];
                    chain = MathF.FusedMultiplyAdd(sum, scale, chain);
                }

                *to = chain;
            }
        }
    }
}

/// <summary>The integer part of a quantized format.</summary>
internal unsafe interface IQuantFormat
{
    static abstract int PanelBytes { get; }

    static abstract bool HasOffset { get; }

    /// <summary>Σ a w over a block of one column; pairs of a are <paramref name="step"/> shorts apart.</summary>
    static abstract int Sum(short* a, int step, byte* q);
}

internal readonly unsafe struct Q8Format : IQuantFormat
{
    public static int PanelBytes => QuantPanels.Q8Bytes;

    public static bool HasOffset => false;

    public static int Sum(short* a, int step, byte* q)
    {
        int sum = 0;
        for (int pair = 0; pair < 16; pair++, a += step, q += 64)
        {
            sum += (a[0] * (sbyte)q[0]) + (a[1] * (sbyte)q[1]);
        }

        return sum;
    }
}

internal readonly unsafe struct Q4Format : IQuantFormat
{
    public static int PanelBytes => QuantPanels.Q4Bytes;

    public static bool HasOffset => true;

    public static int Sum(short* a, int step, byte* q)
    {
        int sum = 0;
        for (int pair = 0; pair < 8; pair++, a += step, q += 64)
        {
            short* upper = a + (8 * step);
            sum += (a[0] * (q[0] & 15)) + (a[1] * (q[1] & 15)) + (upper[0] * (q[0] >> 4)) + (upper[1] * (q[1] >> 4));
        }

        return sum;
    }
}
