using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MmCluster.Media.Images.Resize;

/// <summary>The inner loops of resizing: sums of 8-bit samples times fixed-point weights, rounded and clipped to 8 bits.</summary>
internal static class ResamplePass
{
    private const int Half = 1 << (ResampleWeights.Precision - 1);

    /// <summary>Resizes one row of RGB pixels.</summary>
    /// <param name="source">[input width, 3].</param>
    /// <param name="weights">Weights along the row.</param>
    /// <param name="target">[weights' count, 3].</param>
    public static void Horizontal(ReadOnlySpan<byte> source, ResampleWeights weights, Span<byte> target)
    {
        ref byte start = ref MemoryMarshal.GetReference(source);
        for (int x = 0; x < weights.Count; x++)
        {
            ReadOnlySpan<int> taps = weights.Of(x);
            int first = weights.First(x) * 3;
            var sum = Vector128.Create(Half);
            int tap = 0;
            // Four bytes are read for a pixel's three; the row's last pixels are left to the exact loop.
            int readable = Math.Min(taps.Length, (source.Length - 4 - first) / 3 + 1);
            if (source.Length - 4 >= first)
            {
                var other = Vector128<int>.Zero;
                for (; tap + 2 <= readable; tap += 2)
                {
                    sum += Pixel(ref start, first + (tap * 3)) * taps[tap];
                    other += Pixel(ref start, first + (tap * 3) + 3) * taps[tap + 1];
                }
                sum += other;
            }
            int red = sum[0];
            int green = sum[1];
            int blue = sum[2];
            for (int at = first + (tap * 3); tap < taps.Length; tap++, at += 3)
            {
                red += source[at] * taps[tap];
                green += source[at + 1] * taps[tap];
                blue += source[at + 2] * taps[tap];
            }
            target[x * 3] = Clip(red);
            target[(x * 3) + 1] = Clip(green);
            target[(x * 3) + 2] = Clip(blue);
        }
    }

    /// <summary>Makes one output row as a weighted sum of input rows.</summary>
    /// <param name="source">[rows, stride], whose first row is the first tap's.</param>
    /// <param name="stride">Bytes from row to row.</param>
    /// <param name="taps">A weight a row.</param>
    /// <param name="target">[stride].</param>
    public static void Vertical(ReadOnlySpan<byte> source, int stride, ReadOnlySpan<int> taps, Span<byte> target)
    {
        int x = 0;
        for (; x <= stride - Vector256<byte>.Count; x += Vector256<byte>.Count)
        {
            Sum32(source, stride, taps, x).CopyTo(target[x..]);
        }
        for (; x < stride; x++)
        {
            int sum = Half;
            for (int tap = 0; tap < taps.Length; tap++)
            {
                sum += source[(tap * stride) + x] * taps[tap];
            }
            target[x] = Clip(sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Sum32(ReadOnlySpan<byte> source, int stride, ReadOnlySpan<int> taps, int x)
    {
        var a = Vector256.Create(Half);
        (Vector256<int> b, Vector256<int> c, Vector256<int> d) = (a, a, a);
        for (int tap = 0; tap < taps.Length; tap++)
        {
            var weight = Vector256.Create(taps[tap]);
            (Vector256<ushort> low, Vector256<ushort> high) = Vector256.Widen(Vector256.Create(source.Slice((tap * stride) + x, 32)));
            (Vector256<uint> p, Vector256<uint> q) = Vector256.Widen(low);
            (Vector256<uint> r, Vector256<uint> s) = Vector256.Widen(high);
            a += p.AsInt32() * weight;
            b += q.AsInt32() * weight;
            c += r.AsInt32() * weight;
            d += s.AsInt32() * weight;
        }
        return Vector256.Narrow(Narrow(a, b), Narrow(c, d)).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ushort> Narrow(Vector256<int> low, Vector256<int> high) =>
        Vector256.Narrow(Clip(low).AsUInt32(), Clip(high).AsUInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Clip(Vector256<int> sum) =>
        Vector256.Min(Vector256.Max(sum >> ResampleWeights.Precision, Vector256<int>.Zero), Vector256.Create(255));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Pixel(ref byte start, int offset)
    {
        Vector128<byte> bytes = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref start, offset))).AsByte();
        return Vector128.WidenLower(Vector128.WidenLower(bytes)).AsInt32();
    }

    private static byte Clip(int sum) => (byte)Math.Clamp(sum >> ResampleWeights.Precision, 0, 255);
}
