namespace MmCluster.Tensors;

// Elementwise operations with broadcasting, computed in F32; on a GPU 16-bit floats are read and written as such. Integers stay integers where both are of one type.
public static partial class Ops
{
    /// <summary>a + b, broadcast.</summary>
    /// <exception cref="ArgumentException">The shapes do not broadcast, or the output has another shape or type.</exception>
    public static Tensor Add(this Tensor a, Tensor b, Tensor? output = null) => Binary(BinaryOperation.Add, a, b, output);

    /// <summary>a + b</summary>
    public static Tensor Add(this Tensor a, float b, Tensor? output = null) => Unary(UnaryOperation.Affine, a, output, 1, b);

    /// <summary>a - b, broadcast.</summary>
    public static Tensor Sub(this Tensor a, Tensor b, Tensor? output = null) => Binary(BinaryOperation.Sub, a, b, output);

    /// <summary>a b, broadcast.</summary>
    public static Tensor Mul(this Tensor a, Tensor b, Tensor? output = null) => Binary(BinaryOperation.Mul, a, b, output);

    /// <summary>a b</summary>
    public static Tensor Mul(this Tensor a, float b, Tensor? output = null) => Unary(UnaryOperation.Affine, a, output, b, -0f);

    /// <summary>a / b, broadcast, in F32.</summary>
    public static Tensor Div(this Tensor a, Tensor b, Tensor? output = null) => Binary(BinaryOperation.Div, a, b, output);

    /// <summary>The larger of a and b, NaN where either is.</summary>
    public static Tensor Maximum(this Tensor a, Tensor b, Tensor? output = null) => Binary(BinaryOperation.Maximum, a, b, output);

    /// <summary>The smaller of a and b, NaN where either is.</summary>
    public static Tensor Minimum(this Tensor a, Tensor b, Tensor? output = null) => Binary(BinaryOperation.Minimum, a, b, output);

    /// <summary>a^b, broadcast, in F32.</summary>
    public static Tensor Pow(this Tensor a, Tensor b, Tensor? output = null) => Binary(BinaryOperation.Pow, a, b, output);

    /// <summary>a^b</summary>
    public static Tensor Pow(this Tensor a, float b, Tensor? output = null) => Unary(UnaryOperation.Pow, a, output, b);

    /// <summary>silu(gate) up, the feed-forward gate of LLaMA.</summary>
    public static Tensor SiluMul(Tensor gate, Tensor up, Tensor? output = null) => Binary(BinaryOperation.SiluMul, gate, up, output);

    /// <summary>gelu(gate) up, with the error function.</summary>
    public static Tensor GeluMul(Tensor gate, Tensor up, Tensor? output = null) => Binary(BinaryOperation.GeluMul, gate, up, output);

    /// <summary>gelu(gate) up, with the tanh approximation (Gemma).</summary>
    public static Tensor GeluTanhMul(Tensor gate, Tensor up, Tensor? output = null) => Binary(BinaryOperation.GeluTanhMul, gate, up, output);

    /// <summary>a == b as Bool, broadcast.</summary>
    public static Tensor Equal(this Tensor a, Tensor b, Tensor? output = null) => Binary(BinaryOperation.Equal, a, b, output);

    /// <summary>a != b as Bool, broadcast.</summary>
    public static Tensor NotEqual(this Tensor a, Tensor b, Tensor? output = null) => Binary(BinaryOperation.NotEqual, a, b, output);

    /// <summary>a &lt; b as Bool, broadcast.</summary>
    public static Tensor Less(this Tensor a, Tensor b, Tensor? output = null) => Binary(BinaryOperation.Less, a, b, output);

    /// <summary>a &lt;= b as Bool, broadcast.</summary>
    public static Tensor LessEqual(this Tensor a, Tensor b, Tensor? output = null) => Binary(BinaryOperation.LessEqual, a, b, output);

    /// <summary>a &gt; b as Bool, broadcast.</summary>
    public static Tensor Greater(this Tensor a, Tensor b, Tensor? output = null) => Binary(BinaryOperation.Greater, a, b, output);

    /// <summary>a &gt;= b as Bool, broadcast.</summary>
    public static Tensor GreaterEqual(this Tensor a, Tensor b, Tensor? output = null) => Binary(BinaryOperation.GreaterEqual, a, b, output);

    /// <summary>a where the condition (Bool) is true, else b; all three broadcast.</summary>
    /// <exception cref="ArgumentException">The condition is not Bool, a and b differ in type, or the shapes do not broadcast.</exception>
    public static Tensor Where(Tensor condition, Tensor a, Tensor b, Tensor? output = null)
    {
        if (condition.DType != DType.Bool || a.DType != b.DType || a.DType.IsQuantized())
        {
            throw new ArgumentException($"where: expected a Bool condition and equal types, got {condition.DType}, {a.DType}, {b.DType}");
        }

        CheckDevice("where", a.Device, b);
        CheckDevice("where", a.Device, condition);
        Shape shape = BroadcastShape("where", BroadcastShape("where", condition.Shape, a.Shape), b.Shape);
        output = Output("where", output, shape, a.DType, a.Device);
        a.Device.Backend.Where(condition, a, b, output);
        return output;
    }

    /// <summary>-x</summary>
    public static Tensor Neg(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Neg, x, output);

    /// <summary>|x|</summary>
    public static Tensor Abs(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Abs, x, output);

    /// <summary>e^x</summary>
    public static Tensor Exp(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Exp, x, output);

    /// <summary>Natural logarithm.</summary>
    public static Tensor Log(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Log, x, output);

    /// <summary>√x</summary>
    public static Tensor Sqrt(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Sqrt, x, output);

    /// <summary>1 / √x</summary>
    public static Tensor Rsqrt(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Rsqrt, x, output);

    /// <summary>sin x, x in radians.</summary>
    public static Tensor Sin(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Sin, x, output);

    /// <summary>cos x, x in radians.</summary>
    public static Tensor Cos(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Cos, x, output);

    /// <summary>x limited to [min, max]; NaN stays NaN.</summary>
    public static Tensor Clamp(this Tensor x, float min = float.NegativeInfinity, float max = float.PositiveInfinity, Tensor? output = null) =>
        Unary(UnaryOperation.Clamp, x, output, min, max);

    /// <summary>Error function.</summary>
    public static Tensor Erf(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Erf, x, output);

    /// <summary>max(0, x)</summary>
    public static Tensor Relu(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Relu, x, output);

    /// <summary>x Φ(x), with the error function.</summary>
    public static Tensor Gelu(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Gelu, x, output);

    /// <summary>x / 2 (1 + tanh(√(2/π) (x + 0.044715 x³)))</summary>
    public static Tensor GeluTanh(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.GeluTanh, x, output);

    /// <summary>x sigmoid(1.702 x), CLIP's activation.</summary>
    public static Tensor QuickGelu(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.QuickGelu, x, output);

    /// <summary>x sigmoid(x)</summary>
    public static Tensor Silu(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Silu, x, output);

    /// <summary>1 / (1 + e^-x)</summary>
    public static Tensor Sigmoid(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Sigmoid, x, output);

    /// <summary>tanh x</summary>
    public static Tensor Tanh(this Tensor x, Tensor? output = null) => Unary(UnaryOperation.Tanh, x, output);

    /// <summary>The activation of that name.</summary>
    public static Tensor Activate(this Tensor x, Activation activation, Tensor? output = null) => activation switch
    {
        Activation.Relu => x.Relu(output),
        Activation.Gelu => x.Gelu(output),
        Activation.GeluTanh => x.GeluTanh(output),
        Activation.QuickGelu => x.QuickGelu(output),
        Activation.Silu => x.Silu(output),
        Activation.Sigmoid => x.Sigmoid(output),
        Activation.Tanh => x.Tanh(output),
        _ => output is null ? x : output.CopyFrom(x),
    };

    private static Tensor Unary(UnaryOperation operation, Tensor x, Tensor? output, float a = 0, float b = 0)
    {
        DType type = FloatType(x);
        if (x.DType != type)
        {
            using Tensor wide = ToFloat(Enum.GetName(operation)!, x, type);
            return Unary(operation, wide, output, a, b);
        }

        output = Output(Enum.GetName(operation)!, output, x.Shape, type, x.Device, x);
        x.Device.Backend.Unary(operation, x, output, a, b);
        return output;
    }

    private static Tensor Binary(BinaryOperation operation, Tensor a, Tensor b, Tensor? output)
    {
        CheckDevice(Enum.GetName(operation)!, a.Device, b);
        bool compares = operation >= BinaryOperation.Equal;
        bool whole = !a.DType.IsFloat() && a.DType == b.DType && (compares || operation is not (BinaryOperation.Div or BinaryOperation.Pow));
        DType type = FloatType(a.DType.IsFloat() ? a : b);
        if (!whole && (a.DType != type || b.DType != type))
        {
            using Tensor left = ToFloat(Enum.GetName(operation)!, a, type);
            using Tensor right = ToFloat(Enum.GetName(operation)!, b, type);
            return Binary(operation, left, right, output);
        }

        Shape shape = a.Shape == b.Shape ? a.Shape : BroadcastShape(Enum.GetName(operation)!, a.Shape, b.Shape);
        output = Output(Enum.GetName(operation)!, output, shape, compares ? DType.Bool : a.DType, a.Device, a, b);
        a.Device.Backend.Binary(operation, a, b, output);
        return output;
    }

    /// <summary>The type in which an operation reads and gives floats: F32 on the processor; on a GPU x's own, F32 for integers.</summary>
    internal static DType FloatType(Tensor x) => !x.Device.IsCpu && x.DType.IsFloat() ? x.DType : DType.F32;

    private static Tensor ToFloat(string operation, Tensor x) => ToFloat(operation, x, FloatType(x));

    private static Tensor ToFloat(string operation, Tensor x, DType type) => x.DType.IsQuantized()
        ? throw new ArgumentException($"{operation}: {x.DType} is a weight format; convert with To(DType.F32)")
        : x.To(type);
}
