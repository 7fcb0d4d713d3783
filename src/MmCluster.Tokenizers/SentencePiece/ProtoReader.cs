using System.Buffers.Binary;
using System.Text;

namespace MmCluster.Tokenizers.SentencePiece;

/// <summary>
/// Reads protocol buffer fields one by one. Every length is checked against what is left; errors name file and offset.
/// </summary>
internal ref struct ProtoReader(ReadOnlySpan<byte> data, string where, int origin = 0)
{
    private readonly ReadOnlySpan<byte> _data = data;
    private int _at;
    private int _wireType;

    /// <summary>The number of the field that <see cref="Next"/> found.</summary>
    public int Field { get; private set; }

    /// <summary>Moves to the next field; false at the end. Each field must then be read or skipped.</summary>
    public bool Next()
    {
        if (_at >= _data.Length)
        {
            return false;
        }
        ulong key = ReadVarint();
        _wireType = (int)(key & 7);
        Field = (int)Math.Min(key >> 3, int.MaxValue);
        return Field > 0 ? true : throw Bad("field number 0");
    }

    /// <summary>The field as a nested message.</summary>
    public ProtoReader ReadMessage()
    {
        ReadOnlySpan<byte> body = ReadBytes();
        return new ProtoReader(body, where, origin + _at - body.Length);
    }

    /// <summary>The field as bytes.</summary>
    public ReadOnlySpan<byte> ReadBytes()
    {
        Expect(2);
        ulong length = ReadVarint();
        if (length > (ulong)(_data.Length - _at))
        {
            throw Bad($"a field of {length} bytes where {_data.Length - _at} are left");
        }
        _at += (int)length;
        return _data.Slice(_at - (int)length, (int)length);
    }

    /// <summary>The field as UTF-8 text; broken bytes become U+FFFD.</summary>
    public string ReadString() => Encoding.UTF8.GetString(ReadBytes());

    /// <summary>The field as an int32 or enumeration.</summary>
    public int ReadInt()
    {
        Expect(0);
        return unchecked((int)ReadVarint());
    }

    /// <summary>The field as a boolean.</summary>
    public bool ReadBool()
    {
        Expect(0);
        return ReadVarint() != 0;
    }

    /// <summary>The field as a float.</summary>
    public float ReadFloat()
    {
        Expect(5);
        return BinaryPrimitives.ReadSingleLittleEndian(ReadFixed(4));
    }

    /// <summary>Passes over the field.</summary>
    public void Skip()
    {
        switch (_wireType)
        {
            case 0:
                ReadVarint();
                break;
            case 1:
                ReadFixed(8);
                break;
            case 2:
                ReadBytes();
                break;
            case 5:
                ReadFixed(4);
                break;
            default:
                throw Bad($"wire type {_wireType}");
        }
    }

    private ReadOnlySpan<byte> ReadFixed(int size)
    {
        if (_data.Length - _at < size)
        {
            throw Bad("ends within a field");
        }
        _at += size;
        return _data.Slice(_at - size, size);
    }

    private ulong ReadVarint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            if (_at >= _data.Length)
            {
                throw Bad("ends within a number");
            }
            byte next = _data[_at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
        throw Bad("a number of more than 10 bytes");
    }

    private readonly void Expect(int wireType)
    {
        if (_wireType != wireType)
        {
            throw Bad($"field {Field} has wire type {_wireType}, expected {wireType}");
        }
    }

    private readonly InvalidDataException Bad(string what) =>
        new($"{where}: at byte {origin + _at}: {what}; is it a SentencePiece model?");
}
