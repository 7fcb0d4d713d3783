namespace Orleans;

/// <summary>Gives a type, interface or method the name it has on the wire, so that renaming the code changes nothing.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct | AttributeTargets.Enum | AttributeTargets.Method | AttributeTargets.Interface, AllowMultiple = true)]
public sealed class AliasAttribute : Attribute
{
    /// <summary>Names the thing <paramref name="alias"/> on the wire.</summary>
    public AliasAttribute(string alias) => Alias = alias;

    /// <summary>The name on the wire.</summary>
    public string Alias { get; }
}

/// <summary>Has serializer and copier of the type generated; its members carry <see cref="IdAttribute"/>.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct | AttributeTargets.Enum)]
public sealed class GenerateSerializerAttribute : Attribute
{
    /// <summary>Has serializer and copier generated.</summary>
    public GenerateSerializerAttribute()
    {
    }

    /// <summary>Whether parameters of the primary constructor are members; the default is true for records and false for others.</summary>
    public bool IncludePrimaryConstructorParameters { get; init; }
}

/// <summary>The id of a serialized member, unique in its type and never reused.</summary>
[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property | AttributeTargets.Class | AttributeTargets.Struct | AttributeTargets.Enum | AttributeTargets.Method)]
public sealed class IdAttribute : Attribute
{
    /// <summary>Sets the id.</summary>
    public IdAttribute(uint id) => Id = id;

    /// <summary>The id on the wire.</summary>
    public uint Id { get; }
}

/// <summary>Promises that the value is never changed after it was handed over, so that it is not copied.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct | AttributeTargets.Property | AttributeTargets.Field | AttributeTargets.Parameter | AttributeTargets.ReturnValue, Inherited = false)]
public sealed class ImmutableAttribute : Attribute
{
    /// <summary>Marks the value as never changed.</summary>
    public ImmutableAttribute()
    {
    }
}

/// <summary>Marks an <see cref="IConverter{TValue, TSurrogate}"/> that serializers use.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct)]
public sealed class RegisterConverterAttribute : Attribute
{
    /// <summary>Marks the converter.</summary>
    public RegisterConverterAttribute()
    {
    }
}

/// <summary>Overrides the response timeout of a grain method.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ResponseTimeoutAttribute : Attribute
{
    /// <summary>Sets the timeout, written as a <see cref="TimeSpan"/>: <c>"00:00:05"</c>.</summary>
    public ResponseTimeoutAttribute(string timeout) =>
        Timeout = TimeSpan.Parse(timeout, System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The timeout.</summary>
    public TimeSpan? Timeout { get; init; }
}

/// <summary>Converts a type that cannot be annotated to and from a serializable surrogate.</summary>
/// <typeparam name="TValue">The foreign type.</typeparam>
/// <typeparam name="TSurrogate">A type with <see cref="GenerateSerializerAttribute"/>.</typeparam>
public interface IConverter<TValue, TSurrogate>
    where TSurrogate : struct
{
    /// <summary>Makes the value that <paramref name="surrogate"/> stands for.</summary>
    TValue ConvertFromSurrogate(in TSurrogate surrogate);

    /// <summary>Makes the surrogate of <paramref name="value"/>.</summary>
    TSurrogate ConvertToSurrogate(in TValue value);
}
