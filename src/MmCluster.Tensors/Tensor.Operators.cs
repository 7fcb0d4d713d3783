namespace MmCluster.Tensors;

// Arithmetic as it is written.
#pragma warning disable CA2225 // the named forms are in Ops
public sealed partial class Tensor
{
    /// <summary>Elementwise sum, broadcast.</summary>
    public static Tensor operator +(Tensor a, Tensor b) => Ops.Add(a, b);

    /// <summary>Adds a number to each element.</summary>
    public static Tensor operator +(Tensor a, float b) => Ops.Add(a, b);

    /// <summary>Elementwise difference, broadcast.</summary>
    public static Tensor operator -(Tensor a, Tensor b) => Ops.Sub(a, b);

    /// <summary>Subtracts a number from each element.</summary>
    public static Tensor operator -(Tensor a, float b) => Ops.Add(a, -b);

    /// <summary>Changes the sign.</summary>
    public static Tensor operator -(Tensor x) => Ops.Neg(x);

    /// <summary>Elementwise product, broadcast.</summary>
    public static Tensor operator *(Tensor a, Tensor b) => Ops.Mul(a, b);

    /// <summary>Multiplies each element by a number.</summary>
    public static Tensor operator *(Tensor a, float b) => Ops.Mul(a, b);

    /// <summary>Multiplies each element by a number.</summary>
    public static Tensor operator *(float a, Tensor b) => Ops.Mul(b, a);

    /// <summary>Elementwise quotient, broadcast.</summary>
    public static Tensor operator /(Tensor a, Tensor b) => Ops.Div(a, b);

    /// <summary>Divides each element by a number.</summary>
    public static Tensor operator /(Tensor a, float b)
    {
        using Tensor divisor = Full([], b, DType.F32, a.Device);
        return Ops.Div(a, divisor);
    }
}
