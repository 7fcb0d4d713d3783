namespace MmCluster.Tensors.Tests;

/// <summary>One body of tests for every device.</summary>
public abstract partial class DeviceTests
{
    private protected abstract Device Device { get; }

    /// <summary>The largest relative error of an elementwise function.</summary>
    private protected virtual double FunctionError => 4e-7;

    /// <summary>The largest relative error of a vector of sums.</summary>
    private protected virtual double SumError => 1e-6;

    private protected Tensor Random(Shape shape, int seed = 1) => Reference.Random(shape, seed).To(Device);

    private protected Tensor From<T>(T[] values, Shape shape) where T : unmanaged => Tensor.From(values, shape, Device);

    private protected Tensor Of<T>(params ReadOnlySpan<T> values) where T : unmanaged => Tensor.From(values, [values.Length], Device);

    private protected Tensor Zeros(Shape shape) => Tensor.Zeros(shape, device: Device);

    private protected Tensor Ones(Shape shape) => Tensor.Ones(shape, device: Device);

    private protected Tensor Full(Shape shape, double value, DType dtype = DType.F32) => Tensor.Full(shape, value, dtype, Device);

    private protected Tensor Scalar(float value) => Full([], value);
}

public sealed partial class CpuDeviceTests : DeviceTests
{
    private protected override Device Device => Device.Cpu;

    [Theory]
    [InlineData(DType.BF16)]
    [InlineData(DType.Q8_0)]
    public void Thread_counts_do_not_change_bits(DType dtype)
    {
        using var scope = new TensorScope();
        using LinearWeight weight = LinearWeight.Pack(Random([130, 512], 5), dtype, Device);
        Tensor x = Random([50, 512], 6);
        int threads = Device.Threads;
        Device.Threads = 1;
        float[] one = x.Linear(weight).ToArray<float>();
        Device.Threads = 3;
        float[] three = x.Linear(weight).ToArray<float>();
        Device.Threads = threads;
        Assert.Equal(one, three);
    }
}
