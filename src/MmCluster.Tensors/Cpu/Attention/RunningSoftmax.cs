using System.Runtime.CompilerServices;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu.Attention;

/// <summary>
/// The state of up to 16 rows' softmax: the largest score so far and, in 16 lanes, the sum of weights relative to it. A span that a row does not see
/// leaves its state bit for bit: the factor is 1 and the weights are 0.
/// </summary>
internal static unsafe class RunningSoftmax
{
    /// <summary>Largest score of a row's visible positions, or the largest before.</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static float Top<T>(float* scores, int first, int end, float before) where T : struct, IVec<T>
    {
        T top = T.Splat(before);
        for (int i = first; i < end; i += T.Count)
        {
            top = T.Max(top, T.Load(scores + i));
        }

        return top.MaxAcross();
    }

    /// <summary>factors = e^(differences), 16 of them.</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void Factors<T>(float* differences, float* factors) where T : struct, IVec<T>
    {
        for (int i = 0; i < 16; i += T.Count)
        {
            VectorMath.Exp(T.Load(differences + i)).Store(factors + i);
        }
    }

    /// <summary>Scores become weights e^(score - top); the lanes' sums shrink by the factor and take them, block after block.</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void Weigh<T>(float* scores, int first, int end, float top, float factor, float* sums) where T : struct, IVec<T>
    {
        T shift = T.Splat(top);
        for (int lane = 0; lane < 16; lane += T.Count)
        {
            T sum = T.Load(sums + lane) * T.Splat(factor);
            for (int i = first + lane; i < end; i += 16)
            {
                T weight = VectorMath.Exp(T.Load(scores + i) - shift);
                weight.Store(scores + i);
                sum += weight;
            }

            sum.Store(sums + lane);
        }
    }

    /// <summary>c tanh(s / c)</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void Cap<T>(float* scores, int first, int end, float cap) where T : struct, IVec<T>
    {
        for (int i = first; i < end; i += T.Count)
        {
            (T.Splat(cap) * VectorMath.Tanh(T.Load(scores + i) / T.Splat(cap))).Store(scores + i);
        }
    }

    /// <summary>y = sums / Σ weights; zeros where nothing was visible.</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void Finish<T>(float* sums, float* weights, float* y, int n) where T : struct, IVec<T>
    {
        float total = 0;
        for (int i = 0; i < 16; i += T.Count)
        {
            total += T.Load(weights + i).SumAcross();
        }

        float scale = total > 0 ? 1 / total : total == 0 ? 0 : float.NaN;
        ElementLoops.MapDense<AffineOp, T>(sums, y, n, scale, 0);
    }
}
