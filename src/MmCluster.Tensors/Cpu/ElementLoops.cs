using System.Runtime.CompilerServices;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu;

/// <summary>
/// The loops behind elementwise operations, written once over an operation and a vector width. Elements that do not fill a vector go through the
/// same vector code in a buffer, so a value's result does not depend on where it lies.
/// </summary>
internal static unsafe class ElementLoops
{
    private const int Chunk = 256;

    /// <summary>y[i] = op(x[i]) over n elements of any strides.</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void Map<TOp, T>(float* x, long xStep, float* y, long yStep, int n, float a, float b)
        where TOp : struct, IUnaryOp
        where T : struct, IVec<T>
    {
        if (xStep == 1 && yStep == 1)
        {
            MapDense<TOp, T>(x, y, n, a, b);
            return;
        }

        float* buffer = stackalloc float[Chunk];
        for (int i = 0; i < n; i += Chunk, x += Chunk * xStep, y += Chunk * yStep)
        {
            int count = Math.Min(Chunk, n - i);
            Gather(x, xStep, buffer, count);
            MapDense<TOp, T>(buffer, buffer, count, a, b);
            Scatter(buffer, y, yStep, count);
        }
    }

    /// <summary>z[i] = op(x[i], y[i]) over n elements of any strides; stride 0 repeats.</summary>
    internal static void Zip<TOp, T>(float* x, long xStep, float* y, long yStep, float* z, long zStep, int n)
        where TOp : struct, IBinaryOp
        where T : struct, IVec<T>
    {
        if (xStep == 1 && yStep == 1 && zStep == 1)
        {
            ZipDense<TOp, T>(x, y, z, n);
            return;
        }

        float* left = stackalloc float[Chunk * 2];
        float* right = left + Chunk;
        for (int i = 0; i < n; i += Chunk, x += Chunk * xStep, y += Chunk * yStep, z += Chunk * zStep)
        {
            int count = Math.Min(Chunk, n - i);
            float* xs = xStep == 1 ? x : Gather(x, xStep, left, count);
            float* ys = yStep == 1 ? y : Gather(y, yStep, right, count);
            if (zStep == 1)
            {
                ZipDense<TOp, T>(xs, ys, z, count);
            }
            else
            {
                ZipDense<TOp, T>(xs, ys, left, count);
                Scatter(left, z, zStep, count);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void MapDense<TOp, T>(float* x, float* y, int n, float a, float b)
        where TOp : struct, IUnaryOp
        where T : struct, IVec<T>
    {
        T va = T.Splat(a);
        T vb = T.Splat(b);
        int i = 0;
        for (; i <= n - T.Count; i += T.Count)
        {
            TOp.Invoke(T.Load(x + i), va, vb).Store(y + i);
        }

        if (i < n)
        {
            float* tail = stackalloc float[16];
            Unsafe.CopyBlock(tail, x + i, (uint)(n - i) * sizeof(float));
            TOp.Invoke(T.Load(tail), va, vb).Store(tail);
            Unsafe.CopyBlock(y + i, tail, (uint)(n - i) * sizeof(float));
        }
    }

    [MethodImpl(CpuBackend.Kernel)]
    private static void ZipDense<TOp, T>(float* x, float* y, float* z, int n)
        where TOp : struct, IBinaryOp
        where T : struct, IVec<T>
    {
        int i = 0;
        for (; i <= n - T.Count; i += T.Count)
        {
            TOp.Invoke(T.Load(x + i), T.Load(y + i)).Store(z + i);
        }

        if (i < n)
        {
            float* tail = stackalloc float[32];
            uint bytes = (uint)(n - i) * sizeof(float);
            Unsafe.CopyBlock(tail, x + i, bytes);
            Unsafe.CopyBlock(tail + 16, y + i, bytes);
            TOp.Invoke(T.Load(tail), T.Load(tail + 16)).Store(tail);
            Unsafe.CopyBlock(z + i, tail, bytes);
        }
    }

    private static float* Gather(float* x, long step, float* buffer, int n)
    {
        if (step == 0)
        {
            new Span<float>(buffer, n).Fill(*x);
            return buffer;
        }

        for (int i = 0; i < n; i++)
        {
            buffer[i] = x[i * step];
        }

        return buffer;
    }

    private static void Scatter(float* buffer, float* y, long step, int n)
    {
        for (int i = 0; i < n; i++)
        {
            y[i * step] = buffer[i];
        }
    }
}
