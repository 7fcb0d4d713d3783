using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MmCluster.Tensors.Cpu;

/// <summary>Dense conversions between F32, BF16 and F16, eight values at a time.</summary>
internal static unsafe class HalfKernels
{
    /// <summary>Converts if there is a kernel for the pair of types.</summary>
    internal static bool TryConvert(DType sourceType, byte* source, DType destinationType, byte* destination, int n)
    {
        switch (sourceType, destinationType)
        {
            case (DType.BF16, DType.F32): WidenBF16((ushort*)source, (float*)destination, n); return true;
            case (DType.F16, DType.F32): WidenF16((ushort*)source, (float*)destination, n); return true;
            case (DType.F32, DType.BF16): NarrowBF16((float*)source, (ushort*)destination, n); return true;
            default: return false;
        }
    }

    [MethodImpl(CpuBackend.Kernel)]
    internal static void WidenBF16(ushort* source, float* destination, int n)
    {
        int i = 0;
        for (; i + 8 <= n; i += 8)
        {
            (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(Vector128.Load(source + i));
            (low << 16).AsSingle().Store(destination + i);
            (high << 16).AsSingle().Store(destination + i + 4);
        }

        for (; i < n; i++)
        {
            destination[i] = BFloat16.Widen(source[i]);
        }
    }

    [MethodImpl(CpuBackend.Kernel)]
    internal static void WidenF16(ushort* source, float* destination, int n)
    {
        int i = 0;
        for (; i + 8 <= n; i += 8)
        {
            (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(Vector128.Load(source + i));
            WidenF16(low).Store(destination + i);
            WidenF16(high).Store(destination + i + 4);
        }

        for (; i < n; i++)
        {
            destination[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
        }
    }

    [MethodImpl(CpuBackend.Kernel)]
    internal static void NarrowBF16(float* source, ushort* destination, int n)
    {
        int i = 0;
        for (; i + 8 <= n; i += 8)
        {
            Vector128<uint> low = RoundBF16(Vector128.Load(source + i));
            Vector128<uint> high = RoundBF16(Vector128.Load(source + i + 4));
            Vector128.Narrow(low, high).Store(destination + i);
        }

        for (; i < n; i++)
        {
            destination[i] = BFloat16.Round(source[i]);
        }
    }

    /// <summary>BF16 bits of four values, to nearest even; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<uint> RoundBF16(Vector128<float> x)
    {
        Vector128<uint> bits = x.AsUInt32();
        Vector128<uint> rounded = (bits + Vector128.Create(0x7fffu) + ((bits >>> 16) & Vector128<uint>.One)) >>> 16;
        Vector128<uint> nan = (bits >>> 16) | Vector128.Create(0x40u);
        return Vector128.ConditionalSelect(Vector128.Equals(x, x).AsUInt32(), rounded, nan);
    }

    // Moves exponent and mantissa into place and sets the exponent right by one multiplication, which also makes subnormals normal.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> WidenF16(Vector128<uint> bits)
    {
        Vector128<uint> sign = (bits & Vector128.Create(0x8000u)) << 16;
        Vector128<uint> rest = (bits & Vector128.Create(0x7fffu)) << 13;
        Vector128<uint> value = (rest.AsSingle() * Vector128.Create(5.192296858534828e33f)).AsUInt32(); // 2^112
        Vector128<uint> special = Vector128.GreaterThanOrEqual(rest, Vector128.Create(0x7c00u << 13)); // infinite or NaN
        return (Vector128.ConditionalSelect(special, rest | Vector128.Create(0x7f800000u), value) | sign).AsSingle();
    }
}
