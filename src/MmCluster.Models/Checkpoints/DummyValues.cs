using System.Text;
using MmCluster.Tensors;

namespace MmCluster.Models.Checkpoints;

/// <summary>
/// The values of a tensor that no file holds, for <c>--load-format dummy</c>: matrices are normal with a standard deviation of 1 / √inputs, so that activations
/// keep their size through any number of layers; weights of norms are 1; biases are 0. They depend on the tensor's name and a seed alone.
/// </summary>
internal readonly record struct DummyValues(ulong Seed, float Mean, float Std)
{
    /// <summary>The values of the tensor called <paramref name="name"/>.</summary>
    public static DummyValues For(string name, ReadOnlySpan<long> shape, ulong seed)
    {
        if (shape.Length < 2)
        {
            return new DummyValues(seed, name.EndsWith("weight", StringComparison.Ordinal) ? 1 : 0, 0);
        }
        ulong own = seed ^ 14695981039346656037; // FNV-1a
        foreach (byte letter in Encoding.UTF8.GetBytes(name))
        {
            own = (own ^ letter) * 1099511628211;
        }
        return new DummyValues(own, 0, 1 / MathF.Sqrt(StoredTensor.Count(shape[1..])));
    }

    /// <summary>All of them, on a device; they belong to the current scope.</summary>
    public Tensor Make(Shape shape, DType dtype, Device device) => Tensor.Normal(shape, Seed, Mean, Std, dtype, device);
}
