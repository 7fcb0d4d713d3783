using MmCluster.Tensors;

namespace MmCluster.Bench.Kernels;

/// <summary>Weights and inputs whose values do not matter.</summary>
internal static class RandomWeight
{
    internal static LinearWeight Pack(int outputs, int inputs, DType dtype)
    {
        using Tensor source = Rows(outputs, inputs);
        return LinearWeight.Pack(source, dtype);
    }

    internal static Tensor Rows(int rows, int columns)
    {
        Tensor x = Tensor.Empty([rows, columns]);
        uint state = 12345;
        foreach (ref float value in x.AsSpan<float>())
        {
            state = (state * 1664525) + 1013904223;
            value = ((state >> 8) / 8388608f) - 1;
        }

        return x;
    }
}
