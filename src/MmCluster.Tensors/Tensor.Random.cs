namespace MmCluster.Tensors;

// Random tensors.
public sealed partial class Tensor
{
    /// <summary>
    /// Normally distributed numbers. Element i is made from Philox(i / 4, seed) by the Box-Muller transform, so the values depend on seed and place
    /// only; devices agree but for the last bits of their logarithms and cosines.
    /// </summary>
    /// <param name="shape">Its dimensions.</param>
    /// <param name="seed">Which numbers.</param>
    /// <param name="mean">Their mean.</param>
    /// <param name="std">Their standard deviation.</param>
    /// <param name="dtype">F32, F16 or BF16.</param>
    /// <param name="device">Where; the processor when null.</param>
    /// <exception cref="ArgumentException">Another element type.</exception>
    public static Tensor Normal(Shape shape, ulong seed, float mean = 0, float std = 1, DType dtype = DType.F32, Device? device = null)
    {
        if (!dtype.IsFloat())
        {
            throw new ArgumentException($"normal: {dtype}, expected F32, F16 or BF16");
        }

        Tensor tensor = Empty(shape, dtype, device);
        tensor.Device.Backend.Normal(tensor, seed, mean, std);
        return tensor;
    }
}
