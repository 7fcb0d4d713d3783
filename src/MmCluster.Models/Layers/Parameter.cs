using System.Diagnostics;
using MmCluster.Models.Checkpoints;
using MmCluster.Tensors;

namespace MmCluster.Models.Layers;

/// <summary>A tensor of a network that is no matrix of a product: norms, biases, position tables. Kept in F32.</summary>
internal sealed class Parameter
{
    private Tensor? _value;

    /// <summary>Declares the tensor at <paramref name="weights"/>' <paramref name="name"/>.</summary>
    public Parameter(WeightSource weights, string name, params ReadOnlySpan<int> shape)
    {
        int[] sizes = shape.ToArray();
        weights.Declare([name], [[.. sizes.Select(size => (long)size)]], parts: null, stored => _value = weights.Own(Read(stored, sizes, weights.Options.Device)));
    }

    /// <summary>Declares several vectors that lie one behind the other, such as the biases of a joined product; <paramref name="parts"/> of them where given.</summary>
    public Parameter(WeightSource weights, string[] names, int[] lengths, TensorPart[]? parts = null)
    {
        int length = parts is null ? lengths.Sum() : (int)parts.Sum(part => part.Length);
        weights.Declare(names, [.. lengths.Select(length => new long[] { length })], parts, stored => _value = weights.Own(Read(stored, [length], weights.Options.Device)));
    }

    /// <summary>The values; loaded once the loader has run.</summary>
    public Tensor Value => _value ?? throw new UnreachableException("a network is used before its weights are loaded");

    private static Tensor Read(StoredTensor[] stored, int[] shape, Device device)
    {
        Tensor value = Tensor.Empty(new Shape(shape));
        Span<float> target = value.AsSpan<float>();
        foreach (StoredTensor part in stored)
        {
            int count = checked((int)part.ElementCount);
            part.Read(0, target[..count]);
            target = target[count..];
        }
        if (device.IsCpu)
        {
            return value;
        }
        using (value)
        {
            return value.To(device);
        }
    }
}
