using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text;

namespace MmCluster.Tensors;

/// <summary>Up to 8 dimensions, stored inline. Written as a collection: <c>Tensor.Zeros([2, 3])</c>.</summary>
[CollectionBuilder(typeof(Shape), nameof(Create))]
[SuppressMessage("Naming", "CA1710", Justification = "a shape is not a collection, it is only written as one")]
public readonly struct Shape : IEquatable<Shape>
{
    /// <summary>Most dimensions a tensor has.</summary>
    public const int MaxRank = 8;

    private readonly Dimensions _dimensions;

    /// <summary>A shape of these dimensions, none negative.</summary>
    /// <exception cref="ArgumentException">More than 8 dimensions, a negative one, or over 2^62 elements.</exception>
    public Shape(params ReadOnlySpan<int> dimensions)
    {
        if (dimensions.Length > MaxRank)
        {
            throw new ArgumentException($"shape: at most {MaxRank} dimensions, got {dimensions.Length}");
        }

        Rank = dimensions.Length;
        long count = 1;
        for (int i = 0; i < dimensions.Length; i++)
        {
            int dimension = dimensions[i];
            if (dimension < 0)
            {
                throw new ArgumentException($"shape: dimension {i} is negative, got {dimension}");
            }

            _dimensions[i] = dimension;
            count = dimension == 0 || count <= (1L << 62) / dimension
                ? count * dimension
                : throw new ArgumentException($"shape: over 2^62 elements, dimension {i} is {dimension}");
        }

        ElementCount = count;
        NonScalar = true;
    }

    /// <summary>Number of dimensions.</summary>
    public int Rank { get; }

    /// <summary>Product of the dimensions; 1 for a scalar.</summary>
    public long ElementCount => NonScalar ? field : 1; // default(Shape) is a scalar too

    private bool NonScalar { get; }

    /// <summary>Number of dimensions; lets <c>shape[^1]</c> compile.</summary>
    public int Length => Rank;

    /// <summary>Dimension <paramref name="index"/>, counted from the front.</summary>
    public int this[int index] => (uint)index < (uint)Rank
        ? _dimensions[index]
        : throw new ArgumentException($"shape: {this} has no dimension {index}");

    /// <summary>Writes a collection expression as a shape.</summary>
    public static Shape Create(ReadOnlySpan<int> dimensions) => new(dimensions);

    /// <summary>The dimensions, without a copy.</summary>
    [UnscopedRef]
    public ReadOnlySpan<int> AsSpan() => ((ReadOnlySpan<int>)_dimensions)[..Rank];

    /// <summary>Lets a shape be written as a collection, and <c>foreach</c> read it.</summary>
    [UnscopedRef]
    public ReadOnlySpan<int>.Enumerator GetEnumerator() => AsSpan().GetEnumerator();

    /// <summary>Turns an axis that may be negative (-1 is the last) into 0..Rank-1.</summary>
    /// <exception cref="ArgumentException">There is no such axis.</exception>
    public int Axis(int axis) => axis >= -Rank && axis < Rank
        ? axis < 0 ? axis + Rank : axis
        : throw new ArgumentException($"shape: {this} has no axis {axis}");

    /// <summary>The same dimensions with one replaced.</summary>
    public Shape With(int axis, int dimension)
    {
        Span<int> copy = stackalloc int[MaxRank];
        AsSpan().CopyTo(copy);
        copy[Axis(axis)] = dimension;
        return new Shape(copy[..Rank]);
    }

    /// <inheritdoc/>
    public bool Equals(Shape other) => AsSpan().SequenceEqual(other.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (int dimension in AsSpan())
        {
            hash.Add(dimension);
        }

        return hash.ToHashCode();
    }

    /// <summary>[2, 3]</summary>
    public override string ToString()
    {
        var text = new StringBuilder("[");
        for (int i = 0; i < Rank; i++)
        {
            text.Append(i > 0 ? ", " : "").Append(_dimensions[i]);
        }

        return text.Append(']').ToString();
    }

    /// <summary>Whether the dimensions are the same.</summary>
    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    /// <summary>Whether the dimensions differ.</summary>
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);

    [InlineArray(MaxRank)]
    private struct Dimensions
    {
        private int _first;
    }
}

/// <summary>Elements to skip a step along each axis; 0 repeats.</summary>
[InlineArray(Shape.MaxRank)]
internal struct Strides
{
    private long _first;

    /// <summary>Row-major strides of a shape.</summary>
    internal static Strides RowMajor(in Shape shape)
    {
        Strides strides = default;
        long step = 1;
        for (int i = shape.Rank - 1; i >= 0; i--)
        {
            strides[i] = step;
            step *= Math.Max(shape[i], 1);
        }

        return strides;
    }

    /// <summary>Whether the elements lie densely in row-major order; axes of length 1 do not matter.</summary>
    internal readonly bool AreRowMajor(in Shape shape)
    {
        long step = 1;
        for (int i = shape.Rank - 1; i >= 0; i--)
        {
            if (shape[i] != 1 && this[i] != step)
            {
                return shape.ElementCount == 0;
            }

            step *= shape[i];
        }

        return true;
    }
}
