using MmCluster.Tensors.Cpu;

namespace MmCluster.Tensors.Tests;

/// <summary>The bytes of GGUF's blocks against the formulas of ggml's reference, value by value.</summary>
public sealed unsafe class QuantizationTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 50)];

    [Theory, MemberData(nameof(Seeds))]
    public void Blocks_hold_the_bytes_of_the_reference(int seed)
    {
        float[] x = Reference.Values(32, seed);
        if (seed % 5 == 1)
        {
            x = [.. x.Select((_, i) => (i - 16) * 0.5f)]; // ties
        }
        else if (seed % 5 == 2)
        {
            x = [.. x.Select((v, i) => i % 2 == 0 ? 1 : v > 0 ? -1f : 1)]; // several of the largest magnitude
        }
        else if (seed % 5 == 3)
        {
            x = [.. x.Select(v => v * MathF.Pow(10, (seed % 11) - 6))];
        }

        if (seed == 49)
        {
            Array.Clear(x);
        }

        byte* block = stackalloc byte[34];
        fixed (float* p = x)
        {
            Quantization.Quantize(DType.Q8_0, p, block, 32);
            Assert.Equal(Q8(x), new ReadOnlySpan<byte>(block, 34).ToArray());
            Quantization.Quantize(DType.Q4_0, p, block, 32);
            Assert.Equal(Q4(x), new ReadOnlySpan<byte>(block, 18).ToArray());
        }
    }

    private static byte[] Q8(float[] x)
    {
        float d = x.Max(MathF.Abs) / 127;
        float inverse = d != 0 ? 1 / d : 0;
        return [.. BitConverter.GetBytes((Half)d), .. x.Select(v => (byte)(sbyte)MathF.Round(v * inverse, MidpointRounding.AwayFromZero))];
    }

    private static byte[] Q4(float[] x)
    {
        float d = x.First(v => MathF.Abs(v) == x.Max(MathF.Abs)) / -8;
        float inverse = d != 0 ? 1 / d : 0;
        int[] values = [.. x.Select(v => Math.Min(15, (int)((v * inverse) + 8.5f)))];
        return [.. BitConverter.GetBytes((Half)d), .. Enumerable.Range(0, 16).Select(i => (byte)(values[i] | (values[i + 16] << 4)))];
    }

    [Fact]
    public void Blocks_of_a_file_are_taken_as_they_are()
    {
        using var scope = new TensorScope();
        Tensor source = Reference.Random([70, 96], 3);
        foreach (DType dtype in new[] { DType.Q8_0, DType.Q4_0 })
        {
            byte[] file = GC.AllocateArray<byte>((int)dtype.Bytes(70 * 96), pinned: true);
            fixed (byte* to = file)
            {
                for (int row = 0; row < 70; row++)
                {
                    Quantization.Quantize(dtype, source.Pointer<float>() + (row * 96), to + (row * dtype.Bytes(96)), 96);
                }

                Tensor mapped = Tensor.FromMemory((nint)to, file.Length, [70, 96], dtype, file);
                using LinearWeight own = LinearWeight.Pack(source, dtype);
                using LinearWeight taken = LinearWeight.Pack(mapped, dtype);
                Assert.Equal(own.Dequantize().ToArray<float>(), taken.Dequantize().ToArray<float>());
                Assert.Equal(mapped.To(DType.F32).ToArray<float>(), taken.Dequantize().ToArray<float>());
            }
        }
    }

    [Fact]
    public void Every_half_widens_and_every_16th_float_narrows_as_the_scalar_conversions_do()
    {
        using var scope = new TensorScope();
        ushort[] bits = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i)];
        float[] halves = Tensor.From(bits.Select(BitConverter.UInt16BitsToHalf).ToArray(), [65536]).To(DType.F32).ToArray<float>();
        Assert.Equal(bits.Select(b => (float)BitConverter.UInt16BitsToHalf(b)), halves);
        float[] singles = [.. Enumerable.Range(0, 1 << 18).Select(i => BitConverter.UInt32BitsToSingle((uint)i * 16381))];
        Assert.Equal(singles.Select(BFloat16.Round), Tensor.From(singles, [1 << 18]).To(DType.BF16).ToArray<ushort>());
    }
}
