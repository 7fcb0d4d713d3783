namespace MmCluster.Tensors.Cpu;

// Picking and placing rows and elements by index; the indices are checked.
internal sealed unsafe partial class CpuBackend
{
    public void Embedding(Tensor table, Tensor ids, Tensor y)
    {
        int width = table.Shape[1];
        int size = table.DType.Size();
        for (long i = 0; i < ids.ElementCount; i++)
        {
            byte* row = table.Data + (ScalarLoops.Read(ids, i) * table.Stride(0) * size);
            CopyKernels.Widen(table.DType, row, table.Stride(1), y.Pointer<float>() + (i * width), width);
        }
    }

    public void SelectRows(Tensor x, Tensor indices, Tensor y)
    {
        for (int i = 0; i < indices.Shape[0]; i++)
        {
            using Tensor from = x.Select(0, (int)ScalarLoops.Read(indices, i));
            using Tensor to = y.Select(0, i);
            Copy(from, to);
        }
    }

    public void ScatterRows(Tensor x, Tensor indices, Tensor rows)
    {
        for (int i = 0; i < indices.Shape[0]; i++)
        {
            using Tensor from = rows.Select(0, i);
            using Tensor to = x.Select(0, (int)ScalarLoops.Read(indices, i));
            Copy(from, to);
        }
    }

    public void Gather(Tensor x, int axis, Tensor index, Tensor y)
    {
        int size = x.DType.Size();
        for (long i = 0; i < y.ElementCount; i++)
        {
            long rest = i;
            long offset = 0;
            for (int a = x.Rank - 1; a >= 0; a--)
            {
                (rest, long here) = Math.DivRem(rest, index.Shape[a]);
                offset += (a == axis ? ScalarLoops.Read(index, i) : here) * x.Stride(a);
            }

            new ReadOnlySpan<byte>(x.Data + (offset * size), size).CopyTo(new Span<byte>(y.Data + (i * size), size));
        }
    }
}
