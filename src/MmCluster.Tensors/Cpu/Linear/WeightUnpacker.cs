namespace MmCluster.Tensors.Cpu.Linear;

/// <summary>Rows of a packed matrix as floats again: for embeddings that share the output's weights, and for tests.</summary>
internal static unsafe class WeightUnpacker
{
    /// <summary>Row ids[i] to row i of the output, dense [ids, K].</summary>
    internal static void Gather(PackedMatrix matrix, Tensor ids, Tensor output)
    {
        float* to = output.Pointer<float>();
        for (long i = 0; i < ids.ElementCount; i++, to += matrix.Columns)
        {
            Row(matrix, (int)ScalarLoops.Read(ids, i), to);
        }
    }

    internal static void Row(PackedMatrix matrix, int row, float* to)
    {
        (int panel, int column) = Math.DivRem(row, matrix.PanelWidth);
        byte* from = matrix.Panel(panel);
        switch (matrix.DType)
        {
            case DType.F32:
                for (int k = 0; k < matrix.Columns; k++)
                {
                    to[k] = ((float*)from)[(k * 64L) + column];
                }

                break;
            case DType.BF16:
                int at = (column / 32 * 32) + (column % 16 * 2) + (column % 32 / 16);
                for (int k = 0; k < matrix.Columns; k++)
                {
                    to[k] = BFloat16.Widen(((ushort*)from)[(k * 64L) + at]);
                }

                break;
            default:
                Blocks(matrix, from, column, to);
                break;
        }
    }

    private static void Blocks(PackedMatrix matrix, byte* panel, int column, float* to)
    {
        int blockBytes = matrix.DType.BlockBytes();
        int panelBlock = matrix.DType == DType.Q8_0 ? QuantPanels.Q8Bytes : QuantPanels.Q4Bytes;
        byte* block = stackalloc byte[34];
        float* wide = stackalloc float[DTypes.BlockLength];
        for (int b = 0; b < matrix.Blocks; b++)
        {
            QuantPanels.Extract(panel + ((long)b * panelBlock), column, block, blockBytes);
            Quantization.Dequantize(matrix.DType, block, wide, DTypes.BlockLength);
            int k = b * DTypes.BlockLength;
            new ReadOnlySpan<float>(wide, Math.Min(DTypes.BlockLength, matrix.Columns - k)).CopyTo(new Span<float>(to + k, matrix.Columns - k));
        }
    }
}
