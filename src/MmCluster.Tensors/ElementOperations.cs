namespace MmCluster.Tensors;

/// <summary>Elementwise functions of one F32 argument that a backend knows; a and b are constants.</summary>
internal enum UnaryOperation
{
    Neg, Abs, Exp, Log, Sqrt, Rsqrt, Sin, Cos, Pow, Clamp, Affine, Reciprocal,
    Relu, Gelu, GeluTanh, QuickGelu, Silu, Sigmoid, Tanh, Erf,
}

/// <summary>Elementwise functions of two arguments that a backend knows.</summary>
internal enum BinaryOperation
{
    Add, Sub, Mul, Div, Pow, Maximum, Minimum, SiluMul, GeluMul, GeluTanhMul,
    Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual,
}

/// <summary>What a row is reduced to.</summary>
internal enum Reduction
{
    Sum, Mean, Max, Argmax,
}

/// <summary>What a linear layer applies to its outputs.</summary>
public enum Activation
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>max(0, x)</summary>
    Relu,

    /// <summary>x Φ(x), with the error function.</summary>
    Gelu,

    /// <summary>gelu's tanh approximation.</summary>
    GeluTanh,

    /// <summary>x sigmoid(1.702 x)</summary>
    QuickGelu,

    /// <summary>x sigmoid(x)</summary>
    Silu,

    /// <summary>1 / (1 + e^-x)</summary>
    Sigmoid,

    /// <summary>tanh x</summary>
    Tanh,
}
