using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MmCluster.Tensors.Cpu.Simd;

/// <summary>4 x 4 transposes of 32-bit values, whatever they mean.</summary>
internal static unsafe class Transpose
{
    /// <summary>Four values of four rows to four columns <paramref name="step"/> values apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Four(float* a, float* b, float* c, float* d, float* to, long step) =>
        Four(Vector128.Load(a), Vector128.Load(b), Vector128.Load(c), Vector128.Load(d), to, step);

    /// <inheritdoc cref="Four(float*, float*, float*, float*, float*, long)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Four(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d, float* to, long step)
    {
        Vector128<float> low = UnpackLow(a, b), high = UnpackHigh(a, b), lowNext = UnpackLow(c, d), highNext = UnpackHigh(c, d);
        Lower(low, lowNext).Store(to);
        Upper(low, lowNext).Store(to + step);
        Lower(high, highNext).Store(to + (2 * step));
        Upper(high, highNext).Store(to + (3 * step));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> UnpackLow(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackLow(a, b) : Vector128.Create(a[0], b[0], a[1], b[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> UnpackHigh(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackHigh(a, b) : Vector128.Create(a[2], b[2], a[3], b[3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Lower(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.MoveLowToHigh(a, b) : Vector128.Create(a.GetLower(), b.GetLower());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Upper(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.MoveHighToLow(b, a) : Vector128.Create(a.GetUpper(), b.GetUpper());
}
