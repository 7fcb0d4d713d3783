namespace MmCluster.Tensors;

// Copies and conversions.
public static partial class Ops
{
    /// <summary>Copies <paramref name="source"/>, broadcast and converted, into this tensor.</summary>
    /// <returns>This tensor.</returns>
    /// <exception cref="ArgumentException">The source does not broadcast, or this tensor is read-only or repeats elements.</exception>
    public static Tensor CopyFrom(this Tensor x, Tensor source)
    {
        CheckWritable("copy", x);
        if (source.Device != x.Device)
        {
            Transfer(source, x);
            return x;
        }

        if (source.Shape == x.Shape)
        {
            x.Device.Backend.Copy(source, x);
            return x;
        }

        using Tensor expanded = source.Expand(x.Shape);
        x.Device.Backend.Copy(expanded, x);
        return x;
    }

    /// <summary>A contiguous copy.</summary>
    public static Tensor Clone(this Tensor x) => Tensor.Empty(x.Shape, x.DType, x.Device).CopyFrom(x);

    /// <summary>A contiguous tensor of the same elements: a view where it is contiguous already, else a copy.</summary>
    public static Tensor Contiguous(this Tensor x) =>
        x.IsContiguous ? x.View(x.Shape, x.StridesCopy(), x.Offset) : x.Clone();

    /// <summary>
    /// The elements in another type: a view where it is the same already, else a copy. Floats round to nearest even, floats to integers cut
    /// towards zero, anything but zero is true. Block formats convert to F32 only; to make them, use LinearWeight.
    /// </summary>
    /// <exception cref="ArgumentException">A conversion to a block format.</exception>
    public static Tensor To(this Tensor x, DType dtype) => x.DType == dtype
        ? x.View(x.Shape, x.StridesCopy(), x.Offset)
        : dtype.IsQuantized()
        ? throw new ArgumentException($"to: {x.DType} to {dtype}; block formats are made by LinearWeight.Pack")
        : Tensor.Empty(x.Shape, dtype, x.Device).CopyFrom(x);

    /// <summary>The elements on another device: a view where they are there already, else a dense copy.</summary>
    public static Tensor To(this Tensor x, Device device) => x.Device == device
        ? x.View(x.Shape, x.StridesCopy(), x.Offset)
        : Tensor.Empty(x.Shape, x.DType, device).CopyFrom(x);

    // Bytes cross between devices densely; what is to be spread out or converted is that on one of them.
    private static void Transfer(Tensor source, Tensor destination)
    {
        using Tensor dense = source.Contiguous();
        bool exact = destination.IsContiguous && destination.DType == source.DType && destination.Shape == source.Shape;
        using Tensor landing = exact
            ? destination.View(destination.Shape, destination.StridesCopy(), destination.Offset)
            : Tensor.Empty(dense.Shape, dense.DType, destination.Device);
        (destination.Device.IsCpu ? source.Device : destination.Device).Backend.Transfer(dense, landing);
        if (!exact)
        {
            destination.CopyFrom(landing);
        }
    }

    internal static void CheckWritable(string operation, Tensor output)
    {
        if (output.IsReadOnly)
        {
            throw new ArgumentException($"{operation}: the output {output} is read-only memory");
        }

        for (int i = 0; i < output.Rank; i++)
        {
            if (output.Shape[i] > 1 && output.Stride(i) == 0)
            {
                throw new ArgumentException($"{operation}: the output {output} repeats its elements along axis {i}");
            }
        }
    }
}
