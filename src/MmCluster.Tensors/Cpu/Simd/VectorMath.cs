using System.Runtime.CompilerServices;

namespace MmCluster.Tensors.Cpu.Simd;

/// <summary>Functions of float vectors, each within about one unit in the last place.</summary>
internal static class VectorMath
{
    /// <summary>e^x: x = n ln 2 + r, then a polynomial of degree 6 on |r| &lt;= ln 2 / 2 (minimax coefficients). 0 below -104, infinite above 88.8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Exp<T>(T x) where T : struct, IVec<T>
    {
        x = T.Max(T.Splat(-110f), T.Min(T.Splat(90f), x)); // in this order NaN passes through
        T n = T.Round(x * T.Splat(1.44269504f));
        T r = T.Fma(n, T.Splat(-0.693145752f), x);
        r = T.Fma(n, T.Splat(-1.42860677e-6f), r);
        T p = T.Splat(1.37805939e-3f);
        p = T.Fma(p, r, T.Splat(8.37312452e-3f));
        p = T.Fma(p, r, T.Splat(4.16695364e-2f));
        p = T.Fma(p, r, T.Splat(1.66664720e-1f));
        p = T.Fma(p, r, T.Splat(4.99999851e-1f));
        p = T.Fma(p, r, T.Splat(1f));
        p = T.Fma(p, r, T.Splat(1f));
        return T.Scale(p, n);
    }

    /// <summary>Hyperbolic tangent: an odd polynomial below 0.55, 1 - 2 / (e^2x + 1) above.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Tanh<T>(T x) where T : struct, IVec<T>
    {
        T magnitude = T.Abs(x);
        T large = T.Splat(1f) - (T.Splat(2f) / (Exp(magnitude + magnitude) + T.Splat(1f)));
        T s = x * x;
        T p = T.Splat(1.57394409e-2f);
        p = T.Fma(p, s, T.Splat(-5.23025580e-2f));
        p = T.Fma(p, s, T.Splat(1.33152470e-1f));
        p = T.Fma(p, s, T.Splat(-3.33327681e-1f));
        T small = T.Fma(p * s, x, x);
        return T.SelectLess(magnitude, T.Splat(0.55f), small, T.CopySign(large, x));
    }

    /// <summary>Error function: x + x p(x²) below 0.9277, 1 - e^q(x) above (minimax coefficients).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Erf<T>(T x) where T : struct, IVec<T>
    {
        T t = T.Min(T.Splat(4f), T.Abs(x)); // erf(4) is 1; NaN passes through
        T s = t * t;
        T q = T.Fma(T.Splat(-1.72853470e-5f), t, T.Splat(3.83197126e-4f));
        T u = T.Fma(T.Splat(-3.88396438e-3f), t, T.Splat(2.42546219e-2f));
        q = T.Fma(q, s, u);
        q = T.Fma(q, t, T.Splat(-1.06777877e-1f));
        q = T.Fma(q, t, T.Splat(-6.34846687e-1f));
        q = T.Fma(q, t, T.Splat(-1.28717512e-1f));
        q = T.Fma(q, t, -t);
        T large = T.Splat(1f) - Exp(q);
        T p = T.Splat(-5.96761703e-4f);
        p = T.Fma(p, s, T.Splat(4.99119423e-3f));
        p = T.Fma(p, s, T.Splat(-2.67681349e-2f));
        p = T.Fma(p, s, T.Splat(1.12819925e-1f));
        p = T.Fma(p, s, T.Splat(-3.76125336e-1f));
        p = T.Fma(p, s, T.Splat(1.28379166e-1f));
        T small = T.Fma(p, x, x);
        return T.SelectLess(t, T.Splat(0.927734375f), small, T.CopySign(large, x));
    }

    /// <summary>1 / (1 + e^-x)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Sigmoid<T>(T x) where T : struct, IVec<T> => T.Splat(1f) / (T.Splat(1f) + Exp(-x));
}
