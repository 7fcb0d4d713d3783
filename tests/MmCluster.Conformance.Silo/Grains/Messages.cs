using System.Collections.Immutable;

namespace MmCluster.Conformance.Grains;

[GenerateSerializer, Alias("conformance.Note")]
public sealed class Note
{
    [Id(0)]
    public string Text { get; set; } = "";

    [Id(1)]
    public List<int> Numbers { get; set; } = [];

    [Id(2)]
    public Note? Next { get; set; }

    [Id(3)]
    public Dictionary<string, double?> Weights { get; init; } = [];

    [Id(4)]
    public ReadOnlyMemory<byte> Bytes { get; set; }

    [Id(5)]
    public ImmutableArray<string> Tags { get; set; } = [];
}

[GenerateSerializer, Immutable, Alias("conformance.Point")]
public readonly record struct Point(int X, int Y);

[GenerateSerializer, Alias("conformance.Shape")]
public abstract record Shape([property: Id(0)] string Name);

[GenerateSerializer, Alias("conformance.Circle")]
public sealed record Circle(string Name, [property: Id(0)] double Radius) : Shape(Name);

[GenerateSerializer, Immutable, Alias("conformance.Frozen")]
public sealed class Frozen
{
    [Id(0)]
    public int[] Numbers { get; set; } = [];
}

[GenerateSerializer, Alias("conformance.RefusedException")]
public sealed class RefusedException : Exception
{
    public RefusedException(string message, int code)
        : base(message) => Code = code;

    [Id(0)]
    public int Code { get; }
}

/// <summary>A type that cannot be annotated, for its converter.</summary>
public sealed class Foreign(int value)
{
    public int Value { get; } = value;
}

[GenerateSerializer, Alias("conformance.ForeignSurrogate")]
public struct ForeignSurrogate
{
    [Id(0)]
    public int Value;
}

[RegisterConverter]
public sealed class ForeignConverter : IConverter<Foreign, ForeignSurrogate>
{
    public Foreign ConvertFromSurrogate(in ForeignSurrogate surrogate) => new(surrogate.Value);

    public ForeignSurrogate ConvertToSurrogate(in Foreign value) => new() { Value = value.Value };
}
