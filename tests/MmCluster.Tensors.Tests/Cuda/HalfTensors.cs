using MmCluster.Tensors.Cuda;

namespace MmCluster.Tensors.Tests.Cuda;

/// <summary>16-bit tensors on the first GPU, with the values that they really hold.</summary>
internal sealed class HalfTensors(DType dtype)
{
    /// <summary>What rounding a result to bfloat16 (8 bits) or half may cost, with room for rounded operands in between.</summary>
    internal double Tolerance => dtype == DType.F16 ? 2e-3 : 1e-2;

    internal Device Device { get; } = CudaTests.Require();

    internal CudaContext Context { get; } = CudaContext.Get(0);

    internal Tensor Random(Shape shape, int seed = 1) => Reference.Random(shape, seed).To(dtype).To(Device);

    internal Tensor From(float[] values, Shape shape) => Tensor.From(values, shape).To(dtype).To(Device);

    internal Tensor Floats(Shape shape, int seed = 1) => Reference.Random(shape, seed).To(Device);

    internal Tensor Ints(params int[] values) => Tensor.From(values, [values.Length]).To(Device);

    /// <summary>An output that shows what was not written.</summary>
    internal Tensor Poisoned(Shape shape, DType? other = null) => Tensor.Full(shape, double.NaN, DType.F32).To(other ?? dtype).To(Device);

    internal static float[] Values(Tensor x) => x.To(DType.F32).To(Device.Cpu).ToArray<float>();

    internal void Close(Tensor actual, ReadOnlySpan<double> expected)
    {
        double error = Reference.RelativeError(Values(actual), expected);
        Assert.True(error < Tolerance, $"relative error {error:g3}, allowed {Tolerance:g3}"); // NaN fails
    }

    /// <summary>Rows of [rows, length].</summary>
    internal static float[][] Rows(float[] values, int length) => [.. values.Chunk(length)];

    internal static double Activate(Activation activation, double x) => activation switch
    {
        Activation.Silu => x / (1 + Math.Exp(-x)),
        Activation.QuickGelu => x / (1 + Math.Exp(-1.702 * x)),
        Activation.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
        Activation.Relu => Math.Max(0, x),
        _ => x,
    };

    internal static double[] RmsNorm(float[] x, float[] gain, double eps)
    {
        double scale = 1 / Math.Sqrt(x.Average(v => (double)v * v) + eps);
        return [.. x.Select((v, i) => v * scale * gain[i])];
    }
}
