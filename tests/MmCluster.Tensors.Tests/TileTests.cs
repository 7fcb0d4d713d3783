using MmCluster.Tensors.Cpu.Linear;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Tests;

/// <summary>The kernels of each instruction set against each other: quantized tiles agree bit for bit, float tiles too, being the same chains.</summary>
public sealed unsafe class TileTests
{
    public static TheoryData<int, int> RowsAndBlocks => new() { { 1, 1 }, { 2, 3 }, { 3, 2 }, { 4, 1 }, { 5, 4 }, { 6, 7 } };

    [Theory, MemberData(nameof(RowsAndBlocks))]
    public void Quantized_tiles_agree(int rows, int blocks)
    {
        Agree<QuantTilesPortable<Q8Format>>(rows, blocks, SimdLevel.Has256 ? &QuantTiles256<Q8Format>.Tile : null);
        Agree<QuantTilesPortable<Q4Format>>(rows, blocks, SimdLevel.Has256 ? &QuantTiles256<Q4Format>.Tile : null);
        Agree<QuantTilesPortable<Q8Format>>(rows, blocks, SimdLevel.Has512 ? &Q8Tiles512.Tile : null);
        Agree<QuantTilesPortable<Q4Format>>(rows, blocks, SimdLevel.Has512 ? &Q4Tiles512.Tile : null);
    }

    private static void Agree<TExpected>(
        int rows, int blocks, delegate*<int, int*, float*, int*, byte*, float*, nint, nint, bool, void> tile) where TExpected : struct, IQuantTiles
    {
        if (tile == null)
        {
            return; // this machine has no such instructions
        }

        var random = new Random(rows);
        int[] a = new int[blocks * 16 * rows];
        random.NextBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(a.AsSpan()));
        float[] scales = Reference.Values(blocks * rows, 2);
        int[] sums = new int[blocks * rows];
        for (int i = 0; i < blocks * rows; i++)
        {
            for (int pair = 0; pair < 16; pair++)
            {
                int both = a[(i / rows * 16 * rows) + (pair * rows) + (i % rows)];
                sums[i] += 8 * ((short)both + (both >> 16));
            }
        }

        byte[] panel = new byte[blocks * TExpected.BlockBytes];
        random.NextBytes(panel);
        for (int block = 0; block < blocks; block++)
        {
            for (int column = 0; column < 32; column++)
            {
                BitConverter.TryWriteBytes(panel.AsSpan((block * TExpected.BlockBytes) + (2 * column)), (Half)(random.NextSingle() * 1e-6f * MathF.Pow(10, column % 7)));
            }
        }

        float[] expected = Reference.Values(rows * 40, 5);
        float[] actual = [.. expected];
        fixed (int* pa = a, ps = sums)
        fixed (float* pf = scales, pe = expected, pg = actual)
        fixed (byte* pb = panel)
        {
            foreach (bool accumulate in new[] { true, false })
            {
                TExpected.Tile(rows, pa, pf, ps, pb, pe, 40, blocks, accumulate);
                tile(rows, pa, pf, ps, pb, pg, 40, blocks, accumulate);
                Assert.Equal(expected, actual);
            }
        }
    }

    [Theory, MemberData(nameof(RowsAndBlocks))]
    public void Float_tiles_agree(int rows, int depth)
    {
        Agree<FloatTilesNarrow<F32Panel, Vec128>>(rows, depth, SimdLevel.Has256 ? &FloatTilesNarrow<F32Panel, Vec256>.Tile : null);
        Agree<FloatTilesNarrow<BF16Panel, Vec128>>(rows, depth, SimdLevel.Has256 ? &FloatTilesNarrow<BF16Panel, Vec256>.Tile : null);
        Agree<FloatTilesNarrow<F32Panel, Vec128>>(rows, depth, SimdLevel.Has512 ? &FloatTiles512<F32Panel>.Tile : null);
        Agree<FloatTilesNarrow<BF16Panel, Vec128>>(rows, depth, SimdLevel.Has512 ? &FloatTiles512<BF16Panel>.Tile : null);
    }

    private static void Agree<TExpected>(int rows, int depth, delegate*<int, float*, byte*, float*, nint, nint, bool, void> tile)
        where TExpected : struct, IFloatTiles
    {
        if (tile == null)
        {
            return;
        }

        float[] a = Reference.Values(rows * depth, 1);
        float[] values = Reference.Values(depth * TExpected.BytesAK / 4, 2); // as pairs of BF16 they are finite as well
        float[] expected = Reference.Values(rows * 70, 3);
        float[] actual = [.. expected];
        fixed (float* pa = a, pb = values, pe = expected, pg = actual)
        {
            foreach (bool accumulate in new[] { true, false })
            {
                TExpected.Tile(rows, pa, (byte*)pb, pe, 70, depth, accumulate);
                tile(rows, pa, (byte*)pb, pg, 70, depth, accumulate);
                Assert.Equal(expected, actual);
            }
        }
    }
}
