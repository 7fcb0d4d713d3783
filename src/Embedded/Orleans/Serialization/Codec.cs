using System.Runtime.CompilerServices;

namespace Orleans.Serialization;

/// <summary>Reads, writes and copies values of one type without knowing it statically.</summary>
internal abstract class Codec
{
    /// <summary>Whether values never change, so that a copy is the value itself.</summary>
    public virtual bool IsImmutable => false;

    public abstract Type Type { get; }

    /// <summary>Writes the value as an object that names its type.</summary>
    public abstract void WriteNamed(MessageWriter writer, uint fieldId, object value);

    /// <summary>Reads what follows the type's name.</summary>
    public abstract object ReadNamed(MessageReader reader);

    public abstract object CopyObject(object value, CopyContext context);
}

/// <summary>Reads, writes and copies values of type <typeparamref name="T"/>.</summary>
internal abstract class Codec<T> : Codec
{
    public sealed override Type Type => typeof(T);

    /// <summary>Writes a field header and the value.</summary>
    public abstract void Write(MessageWriter writer, uint fieldId, T value);

    /// <summary>Reads the value behind a field header.</summary>
    public abstract T Read(MessageReader reader, WireType wire);

    public virtual T Copy(T value, CopyContext context) => value;

    // Values without identity travel inside a wrapper object with one field.
    public override void WriteNamed(MessageWriter writer, uint fieldId, object value)
    {
        writer.WriteObjectStart(fieldId, typeof(T), tracked: false);
        Write(writer, 0, (T)value);
        writer.WriteObjectEnd();
    }

    public override object ReadNamed(MessageReader reader)
    {
        object? value = null;
        for (WireType wire; (wire = reader.ReadHeader(out uint id)) != WireType.End;)
        {
            if (id == 0)
            {
                value = Read(reader, wire);
            }
            else
            {
                reader.Skip(wire);
            }
        }
        return value ?? throw new InvalidDataException($"a value of {typeof(T)} is missing");
    }

    public override object CopyObject(object value, CopyContext context) => Copy((T)value, context)!;
}

/// <summary>Finds the codec of a type once.</summary>
internal static class Codecs<T>
{
    public static readonly Codec<T> Instance = (Codec<T>)CodecRegistry.Resolve(typeof(T));

    public static readonly bool IsImmutable = Instance.IsImmutable;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Copy(T value, CopyContext context) => IsImmutable ? value : Instance.Copy(value, context);
}

/// <summary>Remembers what was copied, so that an object met twice is copied once. Not thread-safe.</summary>
internal sealed class CopyContext
{
    [ThreadStatic]
    private static CopyContext? _cached;

    private readonly ObjectTable _originals = new();
    private readonly List<object> _copies = [];
    private int _depth;

    public static CopyContext Rent()
    {
        CopyContext context = _cached ?? new CopyContext();
        _cached = null;
        return context;
    }

    public void Return()
    {
        _originals.Clear();
        _copies.Clear();
        _depth = 0;
        _cached = this;
    }

    /// <summary>Enters an object whose members are copied.</summary>
    public void EnterObject() => Nesting.Enter(ref _depth);

    public void LeaveObject() => _depth--;

    public bool TryGet(object original, out object copy)
    {
        int index = _originals.IndexOf(original);
        copy = index < 0 ? original : _copies[index];
        return index >= 0;
    }

    public void Add(object original, object copy)
    {
        _originals.Add(original);
        _copies.Add(copy);
    }
}

/// <summary>Base of codecs of classes: null, identity and derived types; the body is the derived codec's.</summary>
internal abstract class ReferenceCodec<T> : Codec<T>
    where T : class
{
    public sealed override void Write(MessageWriter writer, uint fieldId, T? value)
    {
        if (value is null)
        {
            writer.WriteHeader(fieldId, WireType.Null);
        }
        else if (value.GetType() != typeof(T))
        {
            CodecRegistry.Of(value.GetType()).WriteNamed(writer, fieldId, value);
        }
        else if (!writer.TryWriteReference(fieldId, value))
        {
            writer.WriteObjectStart(fieldId, null, tracked: true);
            WriteBody(writer, value);
            writer.WriteObjectEnd();
        }
    }

    public sealed override T Read(MessageReader reader, WireType wire)
    {
        switch (wire)
        {
            case WireType.Null:
                return null!;
            case WireType.Reference:
                return reader.ReadReference() as T ?? throw new InvalidDataException($"an object is expected to be {typeof(T)}");
            case WireType.Object:
                Type? type = reader.EnterObject();
                object value = type is null || type == typeof(T) ? ReadBody(reader) : CodecRegistry.Of(type, typeof(T)).ReadNamed(reader);
                reader.LeaveObject();
                return (T)value;
            default:
                throw reader.Unexpected(wire, typeof(T));
        }
    }

    public sealed override void WriteNamed(MessageWriter writer, uint fieldId, object value)
    {
        if (!writer.TryWriteReference(fieldId, value))
        {
            writer.WriteObjectStart(fieldId, typeof(T), tracked: true);
            WriteBody(writer, (T)value);
            writer.WriteObjectEnd();
        }
    }

    public sealed override object ReadNamed(MessageReader reader) => ReadBody(reader);

    public sealed override T Copy(T value, CopyContext context)
    {
        if (value is null || (IsImmutable && value.GetType() == typeof(T)))
        {
            return value!;
        }
        if (value.GetType() != typeof(T))
        {
            return (T)CodecRegistry.Of(value.GetType()).CopyObject(value, context);
        }
        if (context.TryGet(value, out object known))
        {
            return (T)known;
        }
        context.EnterObject();
        T copy = CopyBody(value, context);
        context.LeaveObject();
        return copy;
    }

    protected abstract void WriteBody(MessageWriter writer, T value);

    /// <summary>Reads up to the end of the object; takes one place in the reader's references before any other object does.</summary>
    protected abstract T ReadBody(MessageReader reader);

    /// <summary>Copies; adds the copy to <paramref name="context"/> before members are copied where it can.</summary>
    protected abstract T CopyBody(T value, CopyContext context);
}

/// <summary>Base of generated codecs of classes; the members are the generator's.</summary>
internal abstract class ObjectCodec<T> : ReferenceCodec<T>
    where T : class
{
    public abstract T Create();

    public abstract void WriteMembers(MessageWriter writer, T value);

    /// <summary>Reads members up to the end of the object or, for a base class, of its part.</summary>
    public abstract void ReadMembers(MessageReader reader, T value);

    public abstract void CopyMembers(T from, T to, CopyContext context);

    protected sealed override void WriteBody(MessageWriter writer, T value) => WriteMembers(writer, value);

    protected sealed override T ReadBody(MessageReader reader)
    {
        T value = Create();
        reader.AddReference(value);
        ReadMembers(reader, value);
        return value;
    }

    protected sealed override T CopyBody(T value, CopyContext context)
    {
        T copy = Create();
        context.Add(value, copy);
        CopyMembers(value, copy, context);
        return copy;
    }
}

/// <summary>Base of generated codecs of structs.</summary>
internal abstract class StructCodec<T> : Codec<T>
    where T : struct
{
    public sealed override void Write(MessageWriter writer, uint fieldId, T value)
    {
        writer.WriteObjectStart(fieldId, null, tracked: false);
        WriteMembers(writer, in value);
        writer.WriteObjectEnd();
    }

    public sealed override T Read(MessageReader reader, WireType wire)
    {
        if (wire != WireType.Object || reader.EnterObject() is not null)
        {
            throw reader.Unexpected(wire, typeof(T));
        }
        T value = default;
        ReadMembers(reader, ref value);
        reader.LeaveObject();
        return value;
    }

    public sealed override void WriteNamed(MessageWriter writer, uint fieldId, object value)
    {
        writer.WriteObjectStart(fieldId, typeof(T), tracked: false);
        WriteMembers(writer, (T)value);
        writer.WriteObjectEnd();
    }

    public sealed override object ReadNamed(MessageReader reader)
    {
        T value = default;
        ReadMembers(reader, ref value);
        return value;
    }

    public sealed override T Copy(T value, CopyContext context)
    {
        if (!IsImmutable)
        {
            CopyMembers(ref value, context);
        }
        return value;
    }

    public abstract void WriteMembers(MessageWriter writer, in T value);

    public abstract void ReadMembers(MessageReader reader, ref T value);

    public abstract void CopyMembers(ref T value, CopyContext context);
}
