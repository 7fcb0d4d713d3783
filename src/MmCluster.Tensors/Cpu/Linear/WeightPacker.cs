using System.Runtime.CompilerServices;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu.Linear;

/// <summary>Fills panels from rows of any float or block format, panel by panel: no second copy of the matrix exists at any time.</summary>
internal unsafe struct WeightPacker : IParallelBody
{
    private const int Chunk = 64; // k at a time

    internal struct Source
    {
        internal byte* Data;
        internal long RowStep; // elements, or bytes for block formats
        internal long ColumnStep;
        internal int Rows;
        internal DType DType;
    }

    private Source* _sources;
    private int _sourceCount;
    private byte* _panels;
    private long _panelBytes;
    private int _panelWidth;
    private int _rows;
    private int _columns;
    private DType _dtype;

    /// <summary>Packs sources, one below the other, into a matrix of their rows together.</summary>
    internal static void Pack(ReadOnlySpan<Tensor> sources, PackedMatrix matrix, ComputePool pool)
    {
        Source* list = stackalloc Source[sources.Length];
        for (int i = 0; i < sources.Length; i++)
        {
            Tensor x = sources[i];
            bool blocks = x.DType.IsQuantized();
            list[i].Data = x.Data;
            list[i].RowStep = blocks ? x.DType.Bytes(x.Shape[1]) : x.Stride(0);
            list[i].ColumnStep = blocks ? 1 : x.Stride(1);
            list[i].Rows = x.Shape[0];
            list[i].DType = x.DType;
        }

        WeightPacker packer = default;
        packer._sources = list;
        packer._sourceCount = sources.Length;
        packer._panels = matrix.Panel(0);
        packer._panelBytes = matrix.PanelBytes;
        packer._panelWidth = matrix.PanelWidth;
        packer._rows = matrix.Rows;
        packer._columns = matrix.Columns;
        packer._dtype = matrix.DType;
        pool.Run(matrix.Panels, ref packer);
    }

    public readonly void Invoke(int part)
    {
        byte* panel = _panels + (part * _panelBytes);
        int first = part * _panelWidth;
        int count = Math.Min(_panelWidth, _rows - first);
        if (_dtype.IsQuantized())
        {
            PackBlocks(panel, first, count);
        }
        else if (_dtype == DType.BF16 && count == 64 && PackBf16(panel, first))
        {
            return;
        }
        else
        {
            PackFloats(panel, first, count);
        }
    }

    [MethodImpl(CpuBackend.Kernel)]
    private readonly void PackFloats(byte* panel, int first, int count)
    {
        float* wide = stackalloc float[Chunk * 64];
        float* turned = stackalloc float[Chunk * 64];
        float* rest = stackalloc float[4 * 64]; // the last columns, where fewer than four are left
        new Span<float>(wide, Chunk * 64).Clear();
        for (int k = 0; k < _columns; k += Chunk)
        {
            int depth = Math.Min(Chunk, _columns - k);
            for (int row = 0; row < count; row++)
            {
                Widen(first + row, k, depth, wide + (row * Chunk));
            }

            float* to = _dtype == DType.F32 ? (float*)panel + ((long)k * 64) : turned;
            for (int row = 0; row < 64; row += 4)
            {
                float* from = wide + (row * Chunk);
                for (int i = 0; i < depth; i += 4)
                {
                    float* column = i + 4 <= depth ? to + (i * 64) + row : rest + row;
                    Transpose.Four(from + i, from + Chunk + i, from + (2 * Chunk) + i, from + (3 * Chunk) + i, column, 64);
                    if (i + 4 > depth)
                    {
                        for (int j = i; j < depth; j++)
                        {
                            new ReadOnlySpan<float>(rest + ((j - i) * 64) + row, 4).CopyTo(new Span<float>(to + (j * 64) + row, 4));
                        }
                    }
                }
            }

            if (_dtype == DType.BF16)
            {
                Bf16Panels.Round(turned, depth, panel + ((long)k * 128));
            }
        }
    }

    // Where all rows are BF16 with dense columns nothing is rounded: their bits are only put in order.
    private readonly bool PackBf16(byte* panel, int first)
    {
        ushort** rows = stackalloc ushort*[64];
        for (int row = 0; row < 64; row++)
        {
            Source source = Find(first + row, out int local);
            if (source.DType != DType.BF16 || source.ColumnStep != 1)
            {
                return false;
            }

            rows[row] = (ushort*)source.Data + (local * source.RowStep);
        }

        Bf16Panels.Fill(rows, _columns, panel);
        return true;
    }

    [MethodImpl(CpuBackend.Kernel)]
    private readonly void PackBlocks(byte* panel, int first, int count)
    {
        int blockBytes = _dtype.BlockBytes();
        int panelBlock = _dtype == DType.Q8_0 ? QuantPanels.Q8Bytes : QuantPanels.Q4Bytes;
        byte* block = stackalloc byte[34];
        float* wide = stackalloc float[DTypes.BlockLength];
        for (int k = 0; k < _columns; k += DTypes.BlockLength, panel += panelBlock)
        {
            new Span<byte>(panel, panelBlock).Clear();
            int depth = Math.Min(DTypes.BlockLength, _columns - k);
            for (int row = 0; row < count; row++)
            {
                Source source = Find(first + row, out int local);
                if (source.DType == _dtype)
                {
                    byte* own = source.Data + (local * source.RowStep) + (k / DTypes.BlockLength * blockBytes);
                    QuantPanels.Insert(own, blockBytes, panel, row);
                    continue;
                }

                new Span<float>(wide, DTypes.BlockLength).Clear();
                Widen(first + row, k, depth, wide);
                Quantization.Quantize(_dtype, wide, block, DTypes.BlockLength);
                QuantPanels.Insert(block, blockBytes, panel, row);
            }
        }
    }

    private readonly Source Find(int row, out int local)
    {
        int i = 0;
        for (; row >= _sources[i].Rows; i++)
        {
            row -= _sources[i].Rows;
        }

        local = row;
        return _sources[i];
    }

    // depth values of a row from k on, k and depth in whole blocks where the source has blocks.
    private readonly void Widen(int row, int k, int depth, float* to)
    {
        Source source = Find(row, out int local);
        if (source.DType.IsQuantized())
        {
            byte* blocks = source.Data + (local * source.RowStep) + (k / DTypes.BlockLength * source.DType.BlockBytes());
            Quantization.Dequantize(source.DType, blocks, to, depth);
            return;
        }

        int size = source.DType.Size();
        byte* from = source.Data + (((local * source.RowStep) + (k * source.ColumnStep)) * size);
        CopyKernels.Widen(source.DType, from, source.ColumnStep, to, depth);
    }
}
