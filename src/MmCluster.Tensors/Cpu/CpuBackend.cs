using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MmCluster.Tensors.Cpu;

/// <summary>The processor's kernels behind <see cref="IBackend"/>: picks loops and splits them over the compute pool.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "one a device, and devices live as long as the process")]
internal sealed unsafe partial class CpuBackend : IBackend
{
    /// <summary>For methods that are hot loops: compiled whole at the first call, so that the first token does not wait for tiers.</summary>
    internal const MethodImplOptions Kernel = MethodImplOptions.AggressiveOptimization;

    private ComputePool _pool = new(Math.Min(ComputePool.AvailableCpus, 1024));

    public int Threads
    {
        get => _pool.Threads;
        set
        {
            if (value != _pool.Threads)
            {
                ComputePool old = _pool;
                _pool = new ComputePool(value);
                old.Dispose();
            }
        }
    }

    public Storage Allocate(long bytes) => Storage.Allocate(bytes);

    public Storage AllocateZeroed(long bytes) => Storage.AllocateZeroed(bytes);

    public void ReleaseCached()
    {
        // The few blocks that are kept are everybody's.
    }

    public void Copy(Tensor source, Tensor destination) => CopyKernels.Copy(source, destination);

    public void Transfer(Tensor source, Tensor destination) =>
        Buffer.MemoryCopy(source.Data, destination.Data, destination.Bytes, source.Bytes);

    public void Fill(Tensor x, double value)
    {
        if (value == 0)
        {
            NativeMemory.Clear(x.Data, (nuint)x.Bytes);
            return;
        }

        int count = checked((int)x.ElementCount);
        switch (x.DType)
        {
            case DType.F32: new Span<float>(x.Data, count).Fill((float)value); break;
            case DType.F16: new Span<Half>(x.Data, count).Fill((Half)value); break;
            case DType.BF16: new Span<ushort>(x.Data, count).Fill(BFloat16.Round((float)value)); break;
            case DType.I64: new Span<long>(x.Data, count).Fill((long)value); break;
            case DType.I32: new Span<int>(x.Data, count).Fill((int)value); break;
            case DType.U8: new Span<byte>(x.Data, count).Fill((byte)value); break;
            default: new Span<byte>(x.Data, count).Fill(1); break;
        }
    }

    public void TopK(Tensor x, Tensor values, Tensor indices)
    {
        int n = x.Shape[^1];
        int k = values.Shape[^1];
        long rows = k == 0 ? 0 : values.ElementCount / k;
        for (long row = 0; row < rows; row++)
        {
            Selection.TopK(x.Pointer<float>() + (row * n), n, k, values.Pointer<float>() + (row * k), indices.Pointer<long>() + (row * k));
        }
    }
}
