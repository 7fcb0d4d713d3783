using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MmCluster.Tensors;

namespace MmCluster.Bench.Kernels;

/// <summary>What the machine gives at this moment: fused multiply-adds and reads, on all threads of a pool.</summary>
internal sealed unsafe class Limits : IDisposable
{
    private const long ReadBytes = 256L << 20;
    private readonly ComputePool _pool;
    private readonly byte* _memory;

    internal Limits(int threads)
    {
        _pool = new ComputePool(threads);
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)ReadBytes, 64);
        new Span<byte>(_memory, (int)ReadBytes).Fill(1);
    }

    /// <summary>GFLOP/s of independent F32 chains in registers.</summary>
    internal double Peak()
    {
        var body = new PeakBody { Rounds = 200_000 };
        long start = Stopwatch.GetTimestamp();
        _pool.Run(_pool.Threads * 4, ref body);
        return _pool.Threads * 4L * body.Rounds * 24.0 * 2 * Vector512<float>.Count / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9;
    }

    /// <summary>GB/s of a read of 256 MB.</summary>
    internal double Read()
    {
        var body = new ReadBody { Memory = _memory, Bytes = ReadBytes / (_pool.Threads * 8) };
        long start = Stopwatch.GetTimestamp();
        _pool.Run(_pool.Threads * 8, ref body);
        return ReadBytes / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9;
    }

    /// <summary>Nanoseconds a region of empty parts costs while the workers spin.</summary>
    internal double Region()
    {
        EmptyBody body = default;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < 2000; i++)
        {
            _pool.Run(_pool.Threads, ref body);
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / 2000;
    }

    public void Dispose()
    {
        _pool.Dispose();
        NativeMemory.AlignedFree(_memory);
    }

    private struct EmptyBody : IParallelBody
    {
        public readonly void Invoke(int part)
        {
        }
    }

    private struct PeakBody : IParallelBody
    {
        internal int Rounds;

        public readonly void Invoke(int part)
        {
            Vector512<float> x = Vector512.Create(part + 0.5f), y = Vector512.Create(0.99f);
            Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
            for (int r = 0; r < Rounds * 2; r++)
            {
                a = Vector512.FusedMultiplyAdd(a, y, x);
                b = Vector512.FusedMultiplyAdd(b, y, x);
                c = Vector512.FusedMultiplyAdd(c, y, x);
                d = Vector512.FusedMultiplyAdd(d, y, x);
                e = Vector512.FusedMultiplyAdd(e, y, x);
                f = Vector512.FusedMultiplyAdd(f, y, x);
                g = Vector512.FusedMultiplyAdd(g, y, x);
                h = Vector512.FusedMultiplyAdd(h, y, x);
                i = Vector512.FusedMultiplyAdd(i, y, x);
                j = Vector512.FusedMultiplyAdd(j, y, x);
                k = Vector512.FusedMultiplyAdd(k, y, x);
                l = Vector512.FusedMultiplyAdd(l, y, x);
            }

            Sink = Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
        }
    }

    private struct ReadBody : IParallelBody
    {
        internal byte* Memory;
        internal long Bytes;

        public readonly void Invoke(int part)
        {
            byte* p = Memory + (part * Bytes);
            Vector512<byte> a = default, b = default, c = default, d = default;
            for (byte* end = p + Bytes; p < end; p += 256)
            {
                a ^= Vector512.Load(p);
                b ^= Vector512.Load(p + 64);
                c ^= Vector512.Load(p + 128);
                d ^= Vector512.Load(p + 192);
            }

            Sink = Vector512.Sum((a ^ b ^ c ^ d).AsSingle());
        }
    }

    internal static volatile float Sink; // keeps results alive
}
