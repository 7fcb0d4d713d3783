using System.Runtime.CompilerServices;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu;

/// <summary>Which elements of a row are largest. NaN counts as the largest, as in PyTorch; among equals the first comes first.</summary>
internal static unsafe class Selection
{
    internal static float Max<T>(float* x, int n) where T : struct, IVec<T> => x[Argmax<T>(x, n)];

    [MethodImpl(CpuBackend.Kernel)]
    internal static long Argmax<T>(float* x, int n) where T : struct, IVec<T>
    {
        float largest = RowKernels.Max<T>(x, n);
        int at = -1;
        for (int i = 0; i < n; i++)
        {
            if (float.IsNaN(x[i]))
            {
                return i;
            }

            if (at < 0 && x[i] == largest)
            {
                at = i;
            }
        }

        return Math.Max(at, 0);
    }

    /// <summary>The k largest in falling order. Order: (value, NaN first) falling, then index rising.</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void TopK(float* x, int n, int k, float* values, long* indices)
    {
        if (k > 128)
        {
            SortAll(x, n, k, values, indices);
            return;
        }

        int held = 0;
        for (int i = 0; i < n; i++)
        {
            if (held == k && !Before(x[i], values[k - 1]))
            {
                continue;
            }

            int at = held < k ? held++ : k - 1;
            for (; at > 0 && Before(x[i], values[at - 1]); at--)
            {
                values[at] = values[at - 1];
                indices[at] = indices[at - 1];
            }

            values[at] = x[i];
            indices[at] = i;
        }
    }

    private static void SortAll(float* x, int n, int k, float* values, long* indices)
    {
        var keys = new (float Value, int Index)[n];
        for (int i = 0; i < n; i++)
        {
            keys[i] = (x[i], i);
        }

        Array.Sort(keys, static (a, b) => Before(a.Value, b.Value) ? -1 : Before(b.Value, a.Value) ? 1 : a.Index.CompareTo(b.Index));
        for (int i = 0; i < k; i++)
        {
            values[i] = keys[i].Value;
            indices[i] = keys[i].Index;
        }
    }

    private static bool Before(float a, float b) => float.IsNaN(a) ? !float.IsNaN(b) : a > b;
}
