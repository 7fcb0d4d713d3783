using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace MmCluster.Models.Checkpoints;

/// <summary>
/// Reads a pickle (protocols 0x80 2 to 5 as torch.save writes them) into containers, numbers, text and tensor descriptions. It runs no code:
/// a name outside <see cref="PickleGlobals"/> ends it. Work and memory are bounded by the bytes read.
/// </summary>
internal ref struct Unpickler(ReadOnlySpan<byte> data)
{
    private static readonly object Mark = new();
    private static readonly object EmptyTuple = Array.Empty<object?>();

    private readonly ReadOnlySpan<byte> _data = data;
    private readonly List<object?> _stack = [];
    private readonly Dictionary<long, object?> _memo = [];

    /// <summary>How many bytes have been read.</summary>
    public int Position { get; private set; }

    /// <summary>Reads one pickle, up to its STOP.</summary>
    /// <exception cref="InvalidDataException">A refused name, an unknown opcode, or a truncated or inconsistent stream.</exception>
    public object? Load()
    {
        while (true)
        {
            byte opcode = Take(1)[0];
            if (opcode == (byte)'.')
            {
                return Pop();
            }
            Run(opcode);
        }
    }

    private void Run(byte opcode)
    {
        switch (opcode)
        {
            case 0x80: // PROTO
                byte protocol = Take(1)[0];
                if (protocol is < 2 or > 5)
                {
                    throw new InvalidDataException($"pickle protocol {protocol}; known: 2 to 5");
                }
                break;
            case 0x95: // FRAME
                Take(8);
                break;
            case (byte)'(':
                _stack.Add(Mark);
                break;
            case (byte)'0':
                Pop();
                break;
            case (byte)'2':
                _stack.Add(Peek());
                break;
            case (byte)'N':
                _stack.Add(null);
                break;
            case 0x88:
                _stack.Add(true);
                break;
            case 0x89:
                _stack.Add(false);
                break;
            case (byte)'}':
                _stack.Add(new PickleDictionary());
                break;
            case (byte)']':
                _stack.Add(new List<object?>());
                break;
            case (byte)')':
                _stack.Add(EmptyTuple);
                break;
            case (byte)'K' or (byte)'M' or (byte)'J' or (byte)'G' or (byte)'L' or (byte)'I' or (byte)'F':
                _stack.Add(ReadNumber(opcode));
                break;
            case 0x8a:
                PushNumber(Take(Take(1)[0]));
                break;
            case 0x8b:
                PushNumber(Take(Length(BinaryPrimitives.ReadInt32LittleEndian(Take(4)))));
                break;
            case (byte)'X' or 0x8c or 0x8d or (byte)'U' or (byte)'T' or (byte)'C' or (byte)'B' or 0x8e:
                _stack.Add(ReadText(opcode));
                break;
            case (byte)'q' or (byte)'r' or 0x94 or (byte)'h' or (byte)'j':
                RunMemo(opcode);
                break;
            default:
                RunBuild(opcode);
                break;
        }
    }

    private void RunMemo(byte opcode)
    {
        switch (opcode)
        {
            case (byte)'q':
                _memo[Take(1)[0]] = Peek();
                break;
            case (byte)'r':
                _memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = Peek();
                break;
            case 0x94:
                _memo[_memo.Count] = Peek();
                break;
            default:
                long index = opcode == (byte)'h' ? Take(1)[0] : BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                _stack.Add(_memo.TryGetValue(index, out object? value) ? value : throw Inconsistent());
                break;
        }
    }

    private void RunBuild(byte opcode)
    {
        switch (opcode)
        {
            case 0x85 or 0x86 or 0x87: // TUPLE1..3
                object?[] tuple = new object?[opcode - 0x84];
                for (int i = tuple.Length - 1; i >= 0; i--)
                {
                    tuple[i] = Pop();
                }
                _stack.Add(tuple);
                break;
            case (byte)'t':
                _stack.Add(PopToMark());
                break;
            case (byte)'a':
                object? item = Pop();
                Top<List<object?>>().Add(item);
                break;
            case (byte)'e':
                object?[] items = PopToMark();
                Top<List<object?>>().AddRange(items);
                break;
            case (byte)'s':
                object? value = Pop();
                object? key = Pop();
                Top<PickleDictionary>().Add(key, value);
                break;
            case (byte)'u':
                object?[] pairs = PopToMark();
                for (int i = 0; i + 1 < pairs.Length; i += 2)
                {
                    Top<PickleDictionary>().Add(pairs[i], pairs[i + 1]);
                }
                break;
            case (byte)'c': // GLOBAL
                string module = ReadLine();
                _stack.Add(PickleGlobals.Find(module, ReadLine()));
                break;
            case 0x93: // STACK_GLOBAL
                object? name = Pop();
                _stack.Add(Pop() is string from && name is string called ? PickleGlobals.Find(from, called) : throw Inconsistent());
                break;
            case (byte)'R' or 0x81: // REDUCE, NEWOBJ
                object? arguments = Pop();
                _stack.Add(Pop() is PickleGlobal function && arguments is object?[] list ? PickleGlobals.Call(function, list) : throw Inconsistent());
                break;
            case (byte)'b': // BUILD: the state of a module's OrderedDict (_metadata) or of numpy's dtype, which nothing needs
                Pop();
                Peek();
                break;
            case (byte)'Q':
                _stack.Add(ToStorage(Pop()));
                break;
            default:
                throw new InvalidDataException($"pickle opcode 0x{opcode:x2} at {Position - 1} is not among those that checkpoints use");
        }
    }

    // ('storage', class, key, location, elements) and, in legacy files, (key, offset, elements) of a view of it.
    private static PickleStorage ToStorage(object? id)
    {
        if (id is not object?[] { Length: 5 or 6 } parts || parts is not ["storage", PickleGlobal type, string key, _, long elements, ..]
            || StoredTypes.FromTorchStorage(type.Name) is not { } stored || elements < 0)
        {
            throw new InvalidDataException("a persistent id is not that of a storage");
        }
        long offset = 0;
        if (parts is [_, _, _, _, _, object?[] { Length: 3 } view])
        {
            offset = view[1] as long? ?? throw new InvalidDataException("a storage view's offset is not a number");
        }
        return new PickleStorage(stored, key, elements, offset);
    }

    private object ReadNumber(byte opcode) => opcode switch
    {
        (byte)'K' => (long)Take(1)[0],
        (byte)'M' => (long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)),
        (byte)'J' => (long)BinaryPrimitives.ReadInt32LittleEndian(Take(4)),
        (byte)'G' => BinaryPrimitives.ReadDoubleBigEndian(Take(8)),
        (byte)'I' => ParseLine(ReadLine()),
        (byte)'L' => ParseLine(ReadLine().TrimEnd('L')),
        _ => double.TryParse(ReadLine(), System.Globalization.CultureInfo.InvariantCulture, out double number) ? number : throw Inconsistent(),
    };

    private static object ParseLine(string text) => text switch
    {
        "00" => false,
        "01" => true,
        _ => long.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out long number) ? number : throw Inconsistent(),
    };

    // Numbers beyond 64 bits appear once, as the magic number of legacy files.
    private readonly void PushNumber(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 64)
        {
            throw Inconsistent();
        }
        BigInteger number = new(bytes);
        if (bytes.Length <= 8)
        {
            _stack.Add((long)number);
        }
        else
        {
            _stack.Add(number);
        }
    }

    private string ReadText(byte opcode)
    {
        int length = opcode switch
        {
            0x8c or (byte)'U' or (byte)'C' => Take(1)[0],
            (byte)'X' or (byte)'T' or (byte)'B' => Length(BinaryPrimitives.ReadInt32LittleEndian(Take(4))),
            _ => Length(BinaryPrimitives.ReadInt64LittleEndian(Take(8))),
        };
        return opcode is (byte)'X' or 0x8c or 0x8d ? Encoding.UTF8.GetString(Take(length)) : Encoding.Latin1.GetString(Take(length));
    }

    private readonly int Length(long length) =>
        length >= 0 && length <= _data.Length - Position ? (int)length : throw new InvalidDataException("the pickle is truncated");

    private string ReadLine()
    {
        int length = _data[Position..].IndexOf((byte)'\n');
        if (length < 0)
        {
            throw new InvalidDataException("the pickle is truncated");
        }
        string line = Encoding.UTF8.GetString(Take(length));
        Take(1);
        return line;
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _data.Length - Position)
        {
            throw new InvalidDataException("the pickle is truncated");
        }
        ReadOnlySpan<byte> bytes = _data.Slice(Position, count);
        Position += count;
        return bytes;
    }

    private readonly object? Peek() => _stack.Count > 0 ? _stack[^1] : throw Inconsistent();

    private readonly T Top<T>() where T : class => Peek() as T ?? throw Inconsistent();

    private readonly object? Pop()
    {
        object? value = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private readonly object?[] PopToMark()
    {
        int mark = _stack.LastIndexOf(Mark);
        if (mark < 0)
        {
            throw Inconsistent();
        }
        object?[] items = [.. _stack[(mark + 1)..]];
        _stack.RemoveRange(mark, _stack.Count - mark);
        return items;
    }

    private static InvalidDataException Inconsistent() => new("the pickle is damaged: its operations do not fit together");
}
