using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MmCluster.Tensors.Cpu.Linear;

/// <summary>
/// Quantized panels: 32 columns, block after block of 32 k. A block holds 32 F16 scales, then
/// Q8_0: [16 pairs of k][32 columns][2] signed bytes;
/// Q4_0: [8 pairs][32 columns][2] bytes, k in the low and k + 16 in the high nibble. Both are the columns' GGUF blocks, transposed by byte pairs.
/// </summary>
internal static unsafe class QuantPanels
{
    internal const int Columns = 32;
    internal const int ScaleBytes = 64;
    internal const int Ahead = 4096; // how far one row's stream is prefetched; measured: 3 to 8 % at 45 GB/s a core
    internal const int Q8Bytes = ScaleBytes + (32 * 32);
    internal const int Q4Bytes = ScaleBytes + (32 * 16);

    /// <summary>16 F16 scales widened: move the bits, then one multiplication sets the exponent right (also of subnormals).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> Scales16(byte* p)
    {
        Vector512<int> bits = Avx512F.ConvertToVector512Int32(Vector256.Load((short*)p)) << 13;
        return (bits & Vector512.Create(unchecked((int)0x8fffe000))).AsSingle() * Vector512.Create(5.192296858534828e33f); // 2^112
    }

    /// <summary>Puts one GGUF block of a column into its place.</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void Insert(byte* ggufBlock, int blockBytes, byte* panelBlock, int column)
    {
        ((ushort*)panelBlock)[column] = *(ushort*)ggufBlock;
        var values = (ushort*)(ggufBlock + 2);
        ushort* pairs = (ushort*)(panelBlock + ScaleBytes) + column;
        for (int pair = 0; pair < (blockBytes - 2) / 2; pair++)
        {
            pairs[pair * Columns] = values[pair];
        }
    }

    /// <summary>Takes a column's block out again, in GGUF's form.</summary>
    internal static void Extract(byte* panelBlock, int column, byte* ggufBlock, int blockBytes)
    {
        *(ushort*)ggufBlock = ((ushort*)panelBlock)[column];
        ushort* pairs = (ushort*)(panelBlock + ScaleBytes) + column;
        for (int pair = 0; pair < (blockBytes - 2) / 2; pair++)
        {
            ((ushort*)(ggufBlock + 2))[pair] = pairs[pair * Columns];
        }
    }
}

/// <summary>Products of a few quantized rows and a quantized panel of 32 columns.</summary>
internal unsafe interface IQuantTiles
{
    static abstract int BlockBytes { get; }

    /// <param name="rows">1 to 6.</param>
    /// <param name="a">[blocks][16][rows] pairs of 16-bit activations.</param>
    /// <param name="sa">[blocks][rows] their scales.</param>
    /// <param name="sums">[blocks][rows] 8 times the sum of the 32 activations.</param>
    /// <param name="b">The panel from the first block on.</param>
    /// <param name="c">[rows][32], <paramref name="ldc"/> floats apart.</param>
    /// <param name="ldc">Floats between rows of c.</param>
    /// <param name="blocks">How many blocks.</param>
    /// <param name="accumulate">Whether the chains go on from what c holds.</param>
    static abstract void Tile(int rows, int* a, float* sa, int* sums, byte* b, float* c, nint ldc, nint blocks, bool accumulate);
}
