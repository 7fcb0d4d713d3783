namespace MmCluster.Models.Checkpoints;

/// <summary>Element types that checkpoint files hold.</summary>
public enum StoredType
{
    /// <summary>64-bit float.</summary>
    F64,

    /// <summary>32-bit float.</summary>
    F32,

    /// <summary>IEEE half.</summary>
    F16,

    /// <summary>bfloat16.</summary>
    BF16,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Signed byte.</summary>
    I8,

    /// <summary>Unsigned byte.</summary>
    U8,

    /// <summary>One byte, 0 or 1.</summary>
    Bool,
}

/// <summary>Facts of <see cref="StoredType"/>.</summary>
public static class StoredTypes
{
    /// <summary>Bytes an element takes.</summary>
    public static int Size(this StoredType type) => type switch
    {
        StoredType.F64 or StoredType.I64 => 8,
        StoredType.F32 or StoredType.I32 => 4,
        StoredType.F16 or StoredType.BF16 or StoredType.I16 => 2,
        _ => 1,
    };

    /// <summary>Whether elements are floating-point numbers.</summary>
    public static bool IsFloat(this StoredType type) => type <= StoredType.BF16;

    /// <summary>The type that safetensors calls <paramref name="name"/>, or null.</summary>
    internal static StoredType? FromSafetensors(string? name) => name switch
    {
        "F64" => StoredType.F64,
        "F32" => StoredType.F32,
        "F16" => StoredType.F16,
        "BF16" => StoredType.BF16,
        "I64" => StoredType.I64,
        "I32" => StoredType.I32,
        "I16" => StoredType.I16,
        "I8" => StoredType.I8,
        "U8" => StoredType.U8,
        "BOOL" => StoredType.Bool,
        _ => null,
    };

    /// <summary>The type that PyTorch's storage class <paramref name="name"/> holds (FloatStorage, ...), or null.</summary>
    internal static StoredType? FromTorchStorage(string name) => name switch
    {
        "DoubleStorage" => StoredType.F64,
        "FloatStorage" => StoredType.F32,
        "HalfStorage" => StoredType.F16,
        "BFloat16Storage" => StoredType.BF16,
        "LongStorage" => StoredType.I64,
        "IntStorage" => StoredType.I32,
        "ShortStorage" => StoredType.I16,
        "CharStorage" => StoredType.I8,
        "ByteStorage" => StoredType.U8,
        "BoolStorage" => StoredType.Bool,
        _ => null,
    };
}
