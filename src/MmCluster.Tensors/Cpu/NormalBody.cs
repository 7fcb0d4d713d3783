using System.Runtime.CompilerServices;

namespace MmCluster.Tensors.Cpu;

/// <summary>Normal random numbers by Box and Muller ("A Note on the Generation of Random Normal Deviates", 1958), four from each Philox counter.</summary>
internal unsafe struct NormalBody : IParallelBody
{
    /// <summary>Elements a part; a multiple of 4.</summary>
    internal const int PartLength = 1 << 14;

    internal byte* Y;
    internal DType DType;
    internal long Count;
    internal ulong Seed;
    internal float Mean;
    internal float Std;

    [MethodImpl(CpuBackend.Kernel)]
    public void Invoke(int part)
    {
        long first = (long)part * PartLength;
        int count = (int)Math.Min(PartLength, Count - first);
        float* four = stackalloc float[4];
        for (int i = 0; i < count; i += 4)
        {
            Four((ulong)(first + i) / 4, four);
            for (int j = 0; j < Math.Min(4, count - i); j++)
            {
                Store(first + i + j, Mean + (Std * four[j]));
            }
        }
    }

    private readonly void Four(ulong counter, float* four)
    {
        (uint x0, uint x1, uint x2, uint x3) = Philox.Next((uint)counter, (uint)(counter >> 32), 0, 0, Seed);
        Pair(x0, x1, four);
        Pair(x2, x3, four + 2);
    }

    // 24 bits each, so that the radius is finite and both ends of the circle meet once.
    private static void Pair(uint a, uint b, float* pair)
    {
        float radius = MathF.Sqrt(-2 * MathF.Log(((a >> 8) + 1) * (1f / (1 << 24))));
        (float sine, float cosine) = MathF.SinCos((b >> 8) * (2 * MathF.PI / (1 << 24)));
        pair[0] = radius * cosine;
        pair[1] = radius * sine;
    }

    private readonly void Store(long i, float value)
    {
        switch (DType)
        {
            case DType.F32: ((float*)Y)[i] = value; break;
            case DType.F16: ((Half*)Y)[i] = (Half)value; break;
            default: ((ushort*)Y)[i] = BFloat16.Round(value); break;
        }
    }
}
