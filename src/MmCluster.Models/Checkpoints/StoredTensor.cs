using System.Diagnostics;
using MmCluster.Tensors;

namespace MmCluster.Models.Checkpoints;

/// <summary>A tensor as a checkpoint file holds it: where its elements lie, not the elements.</summary>
public sealed class StoredTensor
{
    private readonly MappedFile? _file; // null for a tensor that is made up
    private readonly long _offset; // of element 0, in bytes

    internal StoredTensor(string key, StoredType type, long[] shape, long[] strides, MappedFile file, long offset)
    {
        Key = key;
        Type = type;
        Shape = shape;
        Strides = strides;
        _file = file;
        _offset = offset;
    }

    private StoredTensor(StoredTensor whole, TensorPart part)
    {
        (Key, Type, Made, _file, Whole, Part) = (whole.Key, whole.Type, whole.Made, whole._file, whole, part);
        Shape = [.. whole.Shape.Select((size, axis) => axis == part.Axis ? part.Length : size)];
        Strides = whole.Strides;
        _offset = whole._offset + (part.Start * Strides[part.Axis] * Type.Size());
    }

    private StoredTensor(string key, long[] shape, DummyValues made)
    {
        Key = key;
        Type = StoredType.F32;
        Shape = shape;
        Strides = DenseStrides(shape);
        Made = made;
    }

    /// <summary>A tensor that no file holds, with made-up values.</summary>
    internal static StoredTensor Dummy(string key, long[] shape, ulong seed) => new(key, shape, DummyValues.For(key, shape, seed));

    /// <summary>What it is a part of, where it is one.</summary>
    internal StoredTensor? Whole { get; }

    /// <summary>Which part of <see cref="Whole"/> it is.</summary>
    internal TensorPart Part { get; }

    /// <summary>How its values are made, when no file holds them; those of <see cref="Whole"/> where there is one.</summary>
    internal DummyValues? Made { get; }

    /// <summary>The name in the file.</summary>
    public string Key { get; }

    /// <summary>Element type.</summary>
    public StoredType Type { get; }

    /// <summary>Dimensions, row-major.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Elements between neighbours along each dimension.</summary>
    public IReadOnlyList<long> Strides { get; }

    /// <summary>The file it lies in; empty when it is made up.</summary>
    public string File => _file?.Path ?? "";

    /// <summary>How many elements.</summary>
    public long ElementCount => Count([.. Shape]);

    /// <summary>Bytes of its elements.</summary>
    public long Bytes => ElementCount * Type.Size();

    /// <summary>Whether the elements lie densely in row-major order.</summary>
    public bool IsContiguous
    {
        get
        {
            long expected = 1;
            for (int i = Shape.Count - 1; i >= 0; i--)
            {
                if (Shape[i] != 1 && Strides[i] != expected)
                {
                    return false;
                }
                expected *= Shape[i];
            }
            return true;
        }
    }

    /// <summary>Dense row-major strides of <paramref name="shape"/>.</summary>
    internal static long[] DenseStrides(ReadOnlySpan<long> shape)
    {
        long[] strides = new long[shape.Length];
        long stride = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= Math.Max(shape[i], 1);
        }
        return strides;
    }

    /// <summary>Product of the dimensions; they have been checked not to overflow.</summary>
    internal static long Count(ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long size in shape)
        {
            count *= size;
        }
        return count;
    }

    /// <summary>Indices [Start, Start + Length) of an axis, without reading anything (PyTorch's narrow).</summary>
    internal StoredTensor Narrow(TensorPart part) => new(this, part);

    /// <summary>The address of element 0, of a tensor in a file.</summary>
    internal unsafe byte* Pointer => (_file ?? throw new InvalidOperationException($"'{Key}' lies in no file")).Pointer(_offset);

    /// <summary>Drops the resident pages of elements [first, first + count) of a contiguous tensor.</summary>
    internal void Release(long first, long count)
    {
        if (IsContiguous)
        {
            _file?.Release(_offset + (first * Type.Size()), count * Type.Size());
        }
    }

    /// <summary>Whether another tensor has the same type, shape and elements; both contiguous.</summary>
    internal unsafe bool HasSameBytes(StoredTensor other)
    {
        if (Type != other.Type || !Shape.SequenceEqual(other.Shape) || !IsContiguous || !other.IsContiguous)
        {
            return false;
        }
        const int Chunk = 1 << 20;
        bool same = true;
        for (long at = 0; same && at < Bytes; at += Chunk)
        {
            int count = (int)Math.Min(Chunk, Bytes - at);
            same = new ReadOnlySpan<byte>(Pointer + at, count).SequenceEqual(new ReadOnlySpan<byte>(other.Pointer + at, count));
        }
        Release(0, ElementCount);
        other.Release(0, ElementCount);
        return same;
    }

    /// <summary>Reads elements [first, first + target.Length), counted row-major, as F32.</summary>
    internal unsafe void Read(long first, Span<float> target)
    {
        if (Made is not null && Whole is not null)
        {
            Debug.Assert(Part.Axis == 0, "made-up values are read by whole rows");
            Whole.Read((Part.Start * Strides[0]) + first, target);
            return;
        }
        if (Made is { } made)
        {
            using Tensor values = made.Make([checked((int)ElementCount)], DType.F32, Device.Cpu);
            values.AsReadOnlySpan<float>().Slice((int)first, target.Length).CopyTo(target);
            return;
        }
        if (IsContiguous)
        {
            Convert(Pointer + (first * Type.Size()), 1, target);
            return;
        }
        int inner = (int)Math.Min(Shape[^1], int.MaxValue);
        while (target.Length > 0)
        {
            long column = first % inner;
            int count = (int)Math.Min(inner - column, target.Length);
            Convert(Pointer + (OffsetOf(first) * Type.Size()), Strides[^1], target[..count]);
            target = target[count..];
            first += count;
        }
    }

    /// <summary>Reads all elements of an integer or boolean tensor.</summary>
    internal unsafe long[] ReadIntegers()
    {
        long[] result = new long[ElementCount];
        for (long i = 0; i < result.Length; i++)
        {
            byte* p = Pointer + ((IsContiguous ? i : OffsetOf(i)) * Type.Size());
            result[i] = Type switch
            {
                StoredType.I64 => *(long*)p,
                StoredType.I32 => *(int*)p,
                StoredType.I16 => *(short*)p,
                StoredType.I8 => *(sbyte*)p,
                StoredType.U8 or StoredType.Bool => *p,
                _ => throw new InvalidDataException($"{File}: tensor '{Key}' is {Type}, integers were expected"),
            };
        }
        return result;
    }

    private long OffsetOf(long index)
    {
        long offset = 0;
        for (int i = Shape.Count - 1; i >= 0; i--)
        {
            offset += index % Shape[i] * Strides[i];
            index /= Shape[i];
        }
        return offset;
    }

    private unsafe void Convert(byte* source, long stride, Span<float> target)
    {
        if (stride == 1 && Type == StoredType.F32)
        {
            new ReadOnlySpan<float>(source, target.Length).CopyTo(target);
            return;
        }
        for (int i = 0; i < target.Length; i++)
        {
            target[i] = Type switch
            {
                StoredType.F64 => (float)((double*)source)[i * stride],
                StoredType.F32 => ((float*)source)[i * stride],
                StoredType.F16 => (float)((Half*)source)[i * stride],
                StoredType.BF16 => BitConverter.UInt32BitsToSingle((uint)((ushort*)source)[i * stride] << 16),
                StoredType.I64 => ((long*)source)[i * stride],
                StoredType.I32 => ((int*)source)[i * stride],
                StoredType.I16 => ((short*)source)[i * stride],
                StoredType.I8 => ((sbyte*)source)[i * stride],
                _ => source[i * stride],
            };
        }
    }
}

/// <summary>Indices [Start, Start + Length) of an axis of a tensor: what one rank loads of it.</summary>
internal readonly record struct TensorPart(int Axis, long Start, long Length)
{
    /// <summary>Some rows of a matrix, or elements of a vector.</summary>
    public static TensorPart Rows(long start, long length) => new(0, start, length);

    /// <summary>Some columns of a matrix.</summary>
    public static TensorPart Columns(long start, long length) => new(1, start, length);
}
