using System.Runtime.Serialization;

namespace Orleans.Runtime;

/// <summary>The name of a grain class in the cluster.</summary>
public readonly struct GrainType : IEquatable<GrainType>, IComparable<GrainType>, ISerializable, ISpanFormattable
{
    /// <summary>Wraps <paramref name="id"/>.</summary>
    public GrainType(IdSpan id) => Value = id;

    /// <summary>Wraps the UTF-8 bytes <paramref name="value"/>.</summary>
    public GrainType(byte[] value) => Value = new IdSpan(value);

    /// <summary>The name's bytes.</summary>
    public IdSpan Value { get; }

    /// <summary>Whether this is the empty default.</summary>
    public bool IsDefault => Value.IsDefault;

    /// <summary>The type named <paramref name="value"/>.</summary>
    public static GrainType Create(string value) => new(IdSpan.Create(value));

    /// <summary>The bytes themselves; they must not be changed.</summary>
    public static byte[] UnsafeGetArray(GrainType id) => IdSpan.UnsafeGetArray(id.Value);

    /// <summary>The name's bytes.</summary>
    public ReadOnlySpan<byte> AsSpan() => Value.AsSpan();

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is GrainType other && Equals(other);

    /// <summary>Whether both are the same type.</summary>
    public bool Equals(GrainType obj) => Value.Equals(obj.Value);

    /// <inheritdoc/>
    public override int GetHashCode() => Value.GetHashCode();

    /// <summary>A hash that is the same in every process.</summary>
    public uint GetUniformHashCode() => Value.GetUniformHashCode();

    /// <summary>Orders by bytes.</summary>
    public int CompareTo(GrainType other) => Value.CompareTo(other.Value);

    /// <summary>Writes the name for a formatter of the runtime.</summary>
    public void GetObjectData(SerializationInfo info, StreamingContext context) => Value.GetObjectData(info, context);

    /// <summary>The name.</summary>
    public override string ToString() => Value.ToString();

    /// <summary>Whether both are the same type.</summary>
    public static bool operator ==(GrainType left, GrainType right) => left.Equals(right);

    /// <summary>Whether they differ.</summary>
    public static bool operator !=(GrainType left, GrainType right) => !left.Equals(right);

    bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        Value.TryFormat(destination, out charsWritten);

    string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();
}

/// <summary>The name of a grain interface in the cluster.</summary>
public readonly struct GrainInterfaceType
{
    internal GrainInterfaceType(string value) => Value = value;

    internal string Value { get; }
}
