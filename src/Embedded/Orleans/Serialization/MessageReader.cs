using System.Buffers.Binary;
using System.Text;
using Orleans.Runtime;

namespace Orleans.Serialization;

/// <summary>Reads what <see cref="MessageWriter"/> wrote, from anybody: every length is checked before it is used.</summary>
/// <remarks>All errors are <see cref="InvalidDataException"/>. Not thread-safe.</remarks>
internal sealed class MessageReader
{
    [ThreadStatic]
    private static MessageReader? _cached;

    private readonly List<object?> _objects = [];
    private readonly List<Type> _types = [];
    private byte[] _data = [];
    private int _position;
    private int _end;
    private int _depth;

    /// <summary>What grain references that are read are bound to.</summary>
    public ReferenceRuntime? Runtime { get; private set; }

    public int Remaining => _end - _position;

    public int Position => _position;

    public ReadOnlySpan<byte> Rest => _data.AsSpan(_position, Remaining);

    /// <summary>A reader of this thread over a part of <paramref name="data"/>; <see cref="Return"/> it.</summary>
    public static MessageReader Rent(byte[] data, int offset, int count, ReferenceRuntime? runtime = null)
    {
        MessageReader reader = _cached ?? new MessageReader();
        _cached = null;
        reader._data = data;
        reader._position = offset;
        reader._end = offset + count;
        reader._depth = 0;
        reader.Runtime = runtime;
        return reader;
    }

    public void Return()
    {
        _objects.Clear();
        _types.Clear();
        _data = [];
        Runtime = null;
        _position = _end = 0;
        _cached = this;
    }

    /// <summary>Reads a field header.</summary>
    public WireType ReadHeader(out uint fieldId)
    {
        uint tag = ReadVarUInt32();
        fieldId = tag >> 3;
        return (WireType)(tag & 7);
    }

    public byte ReadByte()
    {
        if (_position >= _end)
        {
            throw Truncated(1);
        }
        return _data[_position++];
    }

    public uint ReadVarUInt32()
    {
        ulong value = ReadVarUInt64();
        return value <= uint.MaxValue ? (uint)value : throw new InvalidDataException($"the number at {_position} exceeds 32 bits");
    }

    public ulong ReadVarUInt64()
    {
        ulong value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            byte next = ReadByte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
        throw new InvalidDataException($"the number at {_position} has more than ten bytes");
    }

    public uint ReadFixed32() => BinaryPrimitives.ReadUInt32LittleEndian(ReadRaw(4));

    public ulong ReadFixed64() => BinaryPrimitives.ReadUInt64LittleEndian(ReadRaw(8));

    /// <summary>The next <paramref name="count"/> bytes; valid until the reader is returned.</summary>
    public ReadOnlySpan<byte> ReadRaw(int count)
    {
        if (count < 0 || count > Remaining)
        {
            throw Truncated(count);
        }
        ReadOnlySpan<byte> bytes = _data.AsSpan(_position, count);
        _position += count;
        return bytes;
    }

    /// <summary>Length and bytes; valid until the reader is returned.</summary>
    public ReadOnlySpan<byte> ReadBlock()
    {
        uint length = ReadVarUInt32();
        return length <= (uint)Remaining ? ReadRaw((int)length) : throw Truncated(length);
    }

    public string ReadText() => Encoding.UTF8.GetString(ReadBlock());

    /// <summary>A number of elements, each of which takes at least one byte.</summary>
    public int ReadCount()
    {
        uint count = ReadVarUInt32();
        return count <= (uint)Remaining ? (int)count
            : throw new InvalidDataException($"{count} elements are announced at {_position} and {Remaining} bytes are left");
    }

    /// <summary>Enters an object: null for the declared type, otherwise the type that is named.</summary>
    public Type? EnterObject()
    {
        Nesting.Enter(ref _depth);
        uint kind = ReadVarUInt32();
        switch (kind >> 1)
        {
            case 0:
                return null;
            case 1:
                Type named = TypeRegistry.TypeOf(ReadBlock());
                _types.Add(named);
                return named;
            default:
                uint index = (kind >> 1) - 2;
                return index < (uint)_types.Count ? _types[(int)index]
                    : throw new InvalidDataException($"type {index} is used at {_position} before it is named");
        }
    }

    public void LeaveObject() => _depth--;

    /// <summary>Remembers an object for references to it; before its members are read, so that cycles close.</summary>
    public int AddReference(object? value)
    {
        _objects.Add(value);
        return _objects.Count - 1;
    }

    public void SetReference(int index, object value) => _objects[index] = value;

    public object ReadReference()
    {
        uint index = ReadVarUInt32();
        return index < (uint)_objects.Count && _objects[(int)index] is { } value ? value
            : throw new InvalidDataException($"object {index} is used at {_position} before it is there");
    }

    /// <summary>Skips the payload of a field that this version does not know.</summary>
    public void Skip(WireType wire)
    {
        int depth = 0;
        do
        {
            switch (wire)
            {
                case WireType.Varint or WireType.Reference:
                    ReadVarUInt64();
                    break;
                case WireType.Fixed32:
                    ReadRaw(4);
                    break;
                case WireType.Fixed64:
                    ReadRaw(8);
                    break;
                case WireType.Bytes:
                    ReadBlock();
                    break;
                case WireType.Object:
                    SkipObjectStart();
                    depth++;
                    break;
                case WireType.Null:
                    break;
                default:
                    throw new InvalidDataException($"an end at {_position} closes nothing");
            }
            while (depth > 0 && (wire = ReadHeader(out uint id)) == WireType.End)
            {
                depth -= id == 0 ? 1 : 0; // an end of a base class stays inside
            }
        }
        while (depth > 0);
    }

    public InvalidDataException Unexpected(WireType wire, Type type) =>
        new($"{type} cannot be read from a field of kind {wire} at {_position}");

    private void SkipObjectStart()
    {
        uint kind = ReadVarUInt32();
        // Later fields may refer to this object's or this type's place, so both places must exist.
        if (kind >> 1 == 1)
        {
            _types.Add(TypeRegistry.TryTypeOf(ReadBlock()) ?? typeof(UnknownType));
        }
        if ((kind & 1) == 0)
        {
            _objects.Add(null);
        }
    }

    private InvalidDataException Truncated(long count) =>
        new($"{count} bytes are expected at {_position} and {Remaining} are left");
}

/// <summary>Stands for a type that this process does not have.</summary>
internal sealed class UnknownType;
