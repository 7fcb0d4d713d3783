using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace Orleans.Serialization;

/// <summary>How the payload behind a field header is laid out, so that unknown fields can be skipped.</summary>
internal enum WireType
{
    Varint = 0,
    Fixed32 = 1,
    Fixed64 = 2,
    Bytes = 3,
    Object = 4,
    Null = 5,
    Reference = 6,
    End = 7,
}

/// <summary>Writes fields into a pooled buffer that grows; also knows which objects and types it has written. Not thread-safe.</summary>
internal sealed class MessageWriter
{
    private const int InitialSize = 512;

    [ThreadStatic]
    private static MessageWriter? _cached;

    private readonly ObjectTable _objects = new();
    private readonly List<Type> _types = [];
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(InitialSize);
    private int _depth;

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, Length);

    /// <summary>A writer of this thread; <see cref="Return"/> it.</summary>
    public static MessageWriter Rent()
    {
        MessageWriter writer = _cached ?? new MessageWriter();
        _cached = null;
        return writer;
    }

    public void Return()
    {
        Truncate(0);
        // One huge message must not pin its buffer to the thread.
        if (_buffer.Length > 1 << 16)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = ArrayPool<byte>.Shared.Rent(InitialSize);
        }
        _cached = this;
    }

    /// <summary>Forgets what was written from <paramref name="length"/> on, with all objects and types; no object is open any more.</summary>
    public void Truncate(int length)
    {
        Length = length;
        _depth = 0;
        _objects.Clear();
        _types.Clear();
    }

    public void WriteHeader(uint fieldId, WireType wire) => WriteVarUInt32((fieldId << 3) | (uint)wire);

    public void WriteEnd() => WriteByte((byte)WireType.End);

    /// <summary>Ends the members of a base class; those of the derived class follow.</summary>
    public void WriteEndBase() => WriteByte((1 << 3) | (byte)WireType.End);

    public void WriteByte(byte value)
    {
        Reserve(1);
        _buffer[Length++] = value;
    }

    public void WriteVarUInt32(uint value)
    {
        Reserve(5);
        while (value >= 0x80)
        {
            _buffer[Length++] = (byte)(value | 0x80);
            value >>= 7;
        }
        _buffer[Length++] = (byte)value;
    }

    public void WriteVarUInt64(ulong value)
    {
        Reserve(10);
        while (value >= 0x80)
        {
            _buffer[Length++] = (byte)(value | 0x80);
            value >>= 7;
        }
        _buffer[Length++] = (byte)value;
    }

    public void WriteFixed32(uint value)
    {
        Reserve(4);
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(Length), value);
        Length += 4;
    }

    public void WriteFixed64(ulong value)
    {
        Reserve(8);
        BinaryPrimitives.WriteUInt64LittleEndian(_buffer.AsSpan(Length), value);
        Length += 8;
    }

    public void WriteRaw(ReadOnlySpan<byte> bytes)
    {
        Reserve(bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(Length));
        Length += bytes.Length;
    }

    /// <summary>Length and bytes.</summary>
    public void WriteBlock(ReadOnlySpan<byte> bytes)
    {
        WriteVarUInt32((uint)bytes.Length);
        WriteRaw(bytes);
    }

    /// <summary>Length and UTF-8 bytes.</summary>
    public void WriteText(string text)
    {
        int most = Encoding.UTF8.GetMaxByteCount(text.Length);
        if (most < 128)
        {
            Reserve(most + 1);
            int count = Encoding.UTF8.GetBytes(text, _buffer.AsSpan(Length + 1));
            _buffer[Length] = (byte)count;
            Length += count + 1;
            return;
        }
        int exact = Encoding.UTF8.GetByteCount(text);
        WriteVarUInt32((uint)exact);
        Reserve(exact);
        Length += Encoding.UTF8.GetBytes(text, _buffer.AsSpan(Length));
    }

    /// <summary>Writes a reference if <paramref name="value"/> was written before; otherwise remembers it.</summary>
    public bool TryWriteReference(uint fieldId, object value)
    {
        int index = _objects.IndexOf(value);
        if (index < 0)
        {
            _objects.Add(value);
            return false;
        }
        WriteHeader(fieldId, WireType.Reference);
        WriteVarUInt32((uint)index);
        return true;
    }

    /// <summary>Starts an object; <paramref name="type"/> is null where the declared type says it all.</summary>
    /// <param name="fieldId">The field.</param>
    /// <param name="type">The type to name, or null.</param>
    /// <param name="tracked">Whether the object took a place in the table of references; readers that skip it must know.</param>
    // The kind: 0 and 1 = not named, 2 and 3 = a name follows, 4 + 2n and 5 + 2n = type n named before; odd = not tracked.
    public void WriteObjectStart(uint fieldId, Type? type, bool tracked)
    {
        Nesting.Enter(ref _depth);
        WriteHeader(fieldId, WireType.Object);
        uint untracked = tracked ? 0u : 1u;
        if (type is null)
        {
            WriteByte((byte)untracked);
            return;
        }
        int index = _types.IndexOf(type);
        if (index >= 0)
        {
            WriteVarUInt32(4 + ((uint)index * 2) + untracked);
            return;
        }
        _types.Add(type);
        WriteByte((byte)(2 + untracked));
        WriteText(TypeRegistry.NameOf(type));
    }

    /// <summary>Ends the object that was started last.</summary>
    public void WriteObjectEnd()
    {
        _depth--;
        WriteEnd();
    }

    /// <summary>Overwrites four bytes at <paramref name="offset"/>.</summary>
    public void Patch(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(offset), value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Reserve(int count)
    {
        if (_buffer.Length - Length < count)
        {
            Grow(count);
        }
    }

    private void Grow(int count)
    {
        long size = Math.Max((long)_buffer.Length * 2, (long)Length + count);
        byte[] larger = ArrayPool<byte>.Shared.Rent(checked((int)Math.Min(size, Array.MaxLength)));
        _buffer.AsSpan(0, Length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}

/// <summary>Finds the place of an object by identity: few objects by a scan, many by a dictionary.</summary>
internal sealed class ObjectTable
{
    private const int ScanLimit = 12;

    private readonly List<object?> _items = [];
    private Dictionary<object, int>? _places;

    public int Count => _items.Count;

    public object? this[int index] => _items[index];

    public int IndexOf(object value)
    {
        if (_items.Count <= ScanLimit)
        {
            for (int i = 0; i < _items.Count; i++)
            {
                if (ReferenceEquals(_items[i], value))
                {
                    return i;
                }
            }
            return -1;
        }
        return _places!.TryGetValue(value, out int place) ? place : -1;
    }

    public int Add(object? value)
    {
        _items.Add(value);
        if (_items.Count > ScanLimit)
        {
            Index();
        }
        return _items.Count - 1;
    }

    public void Set(int index, object value)
    {
        _items[index] = value;
        if (_places is { Count: > 0 })
        {
            _places[value] = index;
        }
    }

    public void Clear()
    {
        _items.Clear();
        _places?.Clear();
        if (_items.Capacity > 1024)
        {
            _items.Capacity = 16;
            _places = null;
        }
    }

    private void Index()
    {
        _places ??= new Dictionary<object, int>(ReferenceEqualityComparer.Instance);
        if (_places.Count == 0)
        {
            for (int i = 0; i < _items.Count; i++)
            {
                Remember(_items[i], i);
            }
            return;
        }
        Remember(_items[^1], _items.Count - 1);
    }

    private void Remember(object? item, int place)
    {
        if (item is not null)
        {
            _places![item] = place;
        }
    }
}
