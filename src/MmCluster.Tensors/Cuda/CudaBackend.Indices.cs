using MmCluster.Tensors.Cpu;

namespace MmCluster.Tensors.Cuda;

// Picking and placing by index.
internal sealed unsafe partial class CudaBackend
{
    private const int MaxGridY = 65535;

    public void Embedding(Tensor table, Tensor ids, Tensor y)
    {
        using Tensor flat = ids.Reshape((int)ids.ElementCount);
        using Tensor rows = y.Reshape((int)ids.ElementCount, table.Shape[1]);
        SelectRows(table, flat, rows);
    }

    public void SelectRows(Tensor x, Tensor indices, Tensor y)
    {
        int rows = indices.Shape[0];
        if (rows == 0 || y.ElementCount == 0)
        {
            return;
        }

        using Tensor from = x.Select(0, 0);
        using Tensor to = y.Select(0, 0);
        StridedLoop loop = StridedLoop.Over(to.Shape, from, to);
        long count = loop.Count;
        _context.Kernels["indices", "select_rows"].Launch(
            Stream, RowGrid(count, rows), Threads256, 0, x.DType.Size(), x, x.Stride(0), indices, indices.DType == DType.I64 ? 1 : 0,
            y, y.Stride(0), KernelArgument.In(&loop), count, (long)rows);
    }

    public void ScatterRows(Tensor x, Tensor indices, Tensor rows)
    {
        if (rows.ElementCount == 0)
        {
            return;
        }

        using Tensor same = rows.To(x.DType);
        using Tensor from = same.Select(0, 0);
        using Tensor to = x.Select(0, 0);
        StridedLoop loop = StridedLoop.Over(to.Shape, from, to);
        long count = loop.Count;
        _context.Kernels["indices", "scatter_rows"].Launch(
            Stream, RowGrid(count, rows.Shape[0]), Threads256, 0, x.DType.Size(), same, same.Stride(0), indices, indices.DType == DType.I64 ? 1 : 0,
            x, x.Stride(0), KernelArgument.In(&loop), count, (long)rows.Shape[0]);
    }

    public void Gather(Tensor x, int axis, Tensor index, Tensor y)
    {
        StridedLoop loop = StridedLoop.Unmerged(y.Shape, x);
        long count = y.ElementCount;
        _context.Kernels["indices", "gather"].Launch(
            Stream, Grid(count), Threads256, 0, x.DType.Size(), x, axis, index, index.DType == DType.I64 ? 1 : 0, y, KernelArgument.In(&loop), count);
    }

    private static Dim3 RowGrid(long count, long rows) =>
        (Math.Min(checked((int)((count + Threads256 - 1) / Threads256)), 1024), (int)Math.Min(rows, MaxGridY));
}
