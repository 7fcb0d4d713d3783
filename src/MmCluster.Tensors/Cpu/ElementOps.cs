using System.Runtime.CompilerServices;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu;

/// <summary>One elementwise function of one argument; a and b are its constants.</summary>
internal interface IUnaryOp
{
    static abstract T Invoke<T>(T x, T a, T b) where T : struct, IVec<T>;
}

/// <summary>One elementwise function of two arguments.</summary>
internal interface IBinaryOp
{
    static abstract T Invoke<T>(T x, T y) where T : struct, IVec<T>;
}

/// <summary>-x</summary>
internal readonly struct NegOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => -x;
}

/// <summary>|x|</summary>
internal readonly struct AbsOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => T.Abs(x);
}

/// <summary>e^x</summary>
internal readonly struct ExpOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => VectorMath.Exp(x);
}

/// <summary>√x</summary>
internal readonly struct SqrtOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => T.Sqrt(x);
}

/// <summary>1 / √x</summary>
internal readonly struct RsqrtOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => T.Splat(1f) / T.Sqrt(x);
}

/// <summary>x limited to a..b; NaN stays NaN.</summary>
internal readonly struct ClampOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => T.Min(b, T.Max(a, x));
}

/// <summary>x a + b, rounded once.</summary>
internal readonly struct AffineOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => T.Fma(x, a, b);
}

/// <summary>a / x</summary>
internal readonly struct ReciprocalOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => a / x;
}

/// <summary>max(0, x); NaN stays NaN.</summary>
internal readonly struct ReluOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => T.Max(T.Zero, x);
}

/// <summary>x Φ(x) = x / 2 (1 + erf(x / √2))</summary>
internal readonly struct GeluOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> =>
        T.Splat(0.5f) * x * (T.Splat(1f) + VectorMath.Erf(x * T.Splat(0.70710678f)));
}

/// <summary>x / 2 (1 + tanh(√(2/π) (x + 0.044715 x³)))</summary>
internal readonly struct GeluTanhOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T>
    {
        T inner = T.Splat(0.79788456f) * T.Fma(T.Splat(0.044715f) * x * x, x, x);
        return T.Splat(0.5f) * x * (T.Splat(1f) + VectorMath.Tanh(inner));
    }
}

/// <summary>x / (1 + e^-1.702x)</summary>
internal readonly struct QuickGeluOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => x * VectorMath.Sigmoid(x * T.Splat(1.702f));
}

/// <summary>x / (1 + e^-x)</summary>
internal readonly struct SiluOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => x / (T.Splat(1f) + VectorMath.Exp(-x));
}

/// <summary>1 / (1 + e^-x)</summary>
internal readonly struct SigmoidOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => VectorMath.Sigmoid(x);
}

/// <summary>tanh x</summary>
internal readonly struct TanhOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => VectorMath.Tanh(x);
}

/// <summary>erf x</summary>
internal readonly struct ErfOp : IUnaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => VectorMath.Erf(x);
}

/// <summary>x + y</summary>
internal readonly struct AddOp : IBinaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T y) where T : struct, IVec<T> => x + y;
}

/// <summary>x - y</summary>
internal readonly struct SubOp : IBinaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T y) where T : struct, IVec<T> => x - y;
}

/// <summary>x y</summary>
internal readonly struct MulOp : IBinaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T y) where T : struct, IVec<T> => x * y;
}

/// <summary>x / y</summary>
internal readonly struct DivOp : IBinaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T y) where T : struct, IVec<T> => x / y;
}

/// <summary>The larger; NaN where either is, as PyTorch.</summary>
internal readonly struct MaximumOp : IBinaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T y) where T : struct, IVec<T> =>
        T.SelectLess(x, y, y, T.SelectLess(y, x, x, NanOf(x, y)));

    // Neither is less: equal, or one is NaN. Max gives its second argument then.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T NanOf<T>(T x, T y) where T : struct, IVec<T> => (x + y) * T.Splat(0.5f);
}

/// <summary>The smaller; NaN where either is, as PyTorch.</summary>
internal readonly struct MinimumOp : IBinaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T y) where T : struct, IVec<T> =>
        T.SelectLess(x, y, x, T.SelectLess(y, x, y, MaximumOp.NanOf(x, y)));
}

/// <summary>silu(x) y, the gate of a LLaMA block.</summary>
internal readonly struct SiluMulOp : IBinaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T y) where T : struct, IVec<T> => SiluOp.Invoke(x, x, x) * y;
}

/// <summary>gelu(x) y</summary>
internal readonly struct GeluMulOp : IBinaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T y) where T : struct, IVec<T> => GeluOp.Invoke(x, x, x) * y;
}

/// <summary>gelu_tanh(x) y</summary>
internal readonly struct GeluTanhMulOp : IBinaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Invoke<T>(T x, T y) where T : struct, IVec<T> => GeluTanhOp.Invoke(x, x, x) * y;
}
