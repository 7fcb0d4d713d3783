namespace MmCluster.Tensors.Cuda;

/// <summary>Turns 16-bit queries and keys and puts keys and values into the cache (rope_append.cu). What does not fit is refused, and goes the general way.</summary>
internal sealed class RopeAppend(CudaContext context)
{
    private const int Threads = 256;

    private readonly KernelTable<DType> _kernels = new(dtype => context.Kernels.Module("rope_append", HalfRows.Define(dtype))["rope_append"]);

    /// <summary>Queues it where the kernel can.</summary>
    /// <param name="q">[T, H, D], turned into <paramref name="qOut"/>; null: only keys.</param>
    /// <param name="qOut">[T, H, D], may be q.</param>
    /// <param name="k">[T, Hkv, D], put into the cache turned; null: only queries.</param>
    /// <param name="v">[T, Hkv, D]</param>
    /// <param name="table">The rotation; null: keys and values are appended as they are.</param>
    /// <param name="positions">[T] rows of the table.</param>
    /// <param name="cache">Address of the layer's blocks in k's type, as <see cref="PagedKv"/> lays them out.</param>
    /// <param name="slots">[T] where keys and values go.</param>
    internal bool TryRun(Tensor? q, Tensor? qOut, Tensor? k, Tensor? v, RopeTable? table, Tensor? positions, nint cache, Tensor? slots)
    {
        Tensor any = (q ?? k)!;
        int dim = any.Shape[2];
        int turning = table is null ? 0 : table.Interleaved ? table.RotaryDim : table.RotaryDim / 2; // begins and ends on 8 elements
        if (!HalfRows.IsHalf(any.DType) || !Fits(q) || !Fits(qOut) || !Fits(k) || !Fits(v) || turning % 8 != 0
            || !HalfRows.IsVector(table?.Cos) || !HalfRows.IsVector(table?.Sin) || (v is not null && v.Shape[2] != dim))
        {
            return false;
        }

        _kernels[any.DType].Launch(
            context.Stream, new LaunchShape(any.Shape[0], Threads) { Overlaps = true }, q, qOut, k, v,
            q?.Stride(0) ?? 0, qOut?.Stride(0) ?? 0, k?.Stride(0) ?? 0, v?.Stride(0) ?? 0, cache, slots, positions,
            table?.Cos, table?.Sin, table?.RotaryDim ?? 0, table?.Interleaved ?? false, q?.Shape[1] ?? 0, k?.Shape[1] ?? 0, dim);
        return true;

        bool Fits(Tensor? x) => x is null || DecodeAttention.AreHeads(x, any.DType);
    }
}
