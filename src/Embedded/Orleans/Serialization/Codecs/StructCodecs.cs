using System.Collections.Immutable;

namespace Orleans.Serialization.Codecs;

internal sealed class NullableCodec<T> : Codec<T?>
    where T : struct
{
    public override bool IsImmutable => Codecs<T>.IsImmutable;

    public override void Write(MessageWriter writer, uint fieldId, T? value)
    {
        if (value is { } some)
        {
            Codecs<T>.Instance.Write(writer, fieldId, some);
        }
        else
        {
            writer.WriteHeader(fieldId, WireType.Null);
        }
    }

    public override T? Read(MessageReader reader, WireType wire) =>
        wire == WireType.Null ? null : Codecs<T>.Instance.Read(reader, wire);

    public override T? Copy(T? value, CopyContext context) => value is { } some ? Codecs<T>.Instance.Copy(some, context) : null;
}

internal sealed class ImmutableArrayCodec<T> : Codec<ImmutableArray<T>>
{
    public override bool IsImmutable => Codecs<T>.IsImmutable;

    public override void Write(MessageWriter writer, uint fieldId, ImmutableArray<T> value)
    {
        if (value.IsDefault)
        {
            writer.WriteHeader(fieldId, WireType.Null);
            return;
        }
        writer.WriteObjectStart(fieldId, null, tracked: false);
        Elements.WriteCount(writer, value.Length);
        foreach (T item in value)
        {
            Codecs<T>.Instance.Write(writer, 1, item);
        }
        writer.WriteObjectEnd();
    }

    public override ImmutableArray<T> Read(MessageReader reader, WireType wire)
    {
        if (wire == WireType.Null)
        {
            return default;
        }
        if (wire != WireType.Object || reader.EnterObject() is not null)
        {
            throw reader.Unexpected(wire, typeof(ImmutableArray<T>));
        }
        ImmutableArray<T>.Builder items = ImmutableArray.CreateBuilder<T>(Math.Min(Elements.ReadCount(reader), 1024));
        while (Elements.TryReadNext(reader, out T item))
        {
            items.Add(item);
        }
        reader.LeaveObject();
        return items.DrainToImmutable();
    }

    public override ImmutableArray<T> Copy(ImmutableArray<T> value, CopyContext context) =>
        IsImmutable || value.IsDefault ? value : [.. value.Select(item => Codecs<T>.Instance.Copy(item, context))];
}

internal sealed class KeyValuePairCodec<TKey, TValue> : StructCodec<KeyValuePair<TKey, TValue>>
{
    public override bool IsImmutable => Codecs<TKey>.IsImmutable && Codecs<TValue>.IsImmutable;

    public override void WriteMembers(MessageWriter writer, in KeyValuePair<TKey, TValue> value)
    {
        Codecs<TKey>.Instance.Write(writer, 0, value.Key);
        Codecs<TValue>.Instance.Write(writer, 1, value.Value);
    }

    public override void ReadMembers(MessageReader reader, ref KeyValuePair<TKey, TValue> value)
    {
        TKey first = default!;
        TValue second = default!;
        for (WireType wire; (wire = reader.ReadHeader(out uint id)) != WireType.End;)
        {
            switch (id)
            {
                case 0:
                    first = Codecs<TKey>.Instance.Read(reader, wire);
                    break;
                case 1:
                    second = Codecs<TValue>.Instance.Read(reader, wire);
                    break;
                default:
                    reader.Skip(wire);
                    break;
            }
        }
        value = new KeyValuePair<TKey, TValue>(first, second);
    }

    public override void CopyMembers(ref KeyValuePair<TKey, TValue> value, CopyContext context) =>
        value = new KeyValuePair<TKey, TValue>(Codecs<TKey>.Copy(value.Key, context), Codecs<TValue>.Copy(value.Value, context));
}

internal sealed class ValueTupleCodec<T1, T2> : StructCodec<(T1 First, T2 Second)>
{
    public override bool IsImmutable => Codecs<T1>.IsImmutable && Codecs<T2>.IsImmutable;

    public override void WriteMembers(MessageWriter writer, in (T1 First, T2 Second) value)
    {
        Codecs<T1>.Instance.Write(writer, 0, value.First);
        Codecs<T2>.Instance.Write(writer, 1, value.Second);
    }

    public override void ReadMembers(MessageReader reader, ref (T1 First, T2 Second) value)
    {
        for (WireType wire; (wire = reader.ReadHeader(out uint id)) != WireType.End;)
        {
            switch (id)
            {
                case 0:
                    value.First = Codecs<T1>.Instance.Read(reader, wire);
                    break;
                case 1:
                    value.Second = Codecs<T2>.Instance.Read(reader, wire);
                    break;
                default:
                    reader.Skip(wire);
                    break;
            }
        }
    }

    public override void CopyMembers(ref (T1 First, T2 Second) value, CopyContext context) =>
        value = (Codecs<T1>.Copy(value.First, context), Codecs<T2>.Copy(value.Second, context));
}

internal sealed class ValueTupleCodec<T1, T2, T3> : StructCodec<(T1 First, T2 Second, T3 Third)>
{
    public override bool IsImmutable => Codecs<T1>.IsImmutable && Codecs<T2>.IsImmutable && Codecs<T3>.IsImmutable;

    public override void WriteMembers(MessageWriter writer, in (T1 First, T2 Second, T3 Third) value)
    {
        Codecs<T1>.Instance.Write(writer, 0, value.First);
        Codecs<T2>.Instance.Write(writer, 1, value.Second);
        Codecs<T3>.Instance.Write(writer, 2, value.Third);
    }

    public override void ReadMembers(MessageReader reader, ref (T1 First, T2 Second, T3 Third) value)
    {
        for (WireType wire; (wire = reader.ReadHeader(out uint id)) != WireType.End;)
        {
            switch (id)
            {
                case 0:
                    value.First = Codecs<T1>.Instance.Read(reader, wire);
                    break;
                case 1:
                    value.Second = Codecs<T2>.Instance.Read(reader, wire);
                    break;
                case 2:
                    value.Third = Codecs<T3>.Instance.Read(reader, wire);
                    break;
                default:
                    reader.Skip(wire);
                    break;
            }
        }
    }

    public override void CopyMembers(ref (T1 First, T2 Second, T3 Third) value, CopyContext context) =>
        value = (Codecs<T1>.Copy(value.First, context), Codecs<T2>.Copy(value.Second, context), Codecs<T3>.Copy(value.Third, context));
}

/// <summary>A foreign type by way of its surrogate.</summary>
internal sealed class SurrogateCodec<TValue, TSurrogate>(IConverter<TValue, TSurrogate> converter) : Codec<TValue>
    where TSurrogate : struct
{
    public override void Write(MessageWriter writer, uint fieldId, TValue value)
    {
        if (value is null)
        {
            writer.WriteHeader(fieldId, WireType.Null);
        }
        else if (value.GetType() != typeof(TValue))
        {
            CodecRegistry.Of(value.GetType()).WriteNamed(writer, fieldId, value);
        }
        else
        {
            Codecs<TSurrogate>.Instance.Write(writer, fieldId, converter.ConvertToSurrogate(in value));
        }
    }

    public override TValue Read(MessageReader reader, WireType wire)
    {
        if (wire == WireType.Null)
        {
            return default!;
        }
        TSurrogate surrogate = Codecs<TSurrogate>.Instance.Read(reader, wire);
        return converter.ConvertFromSurrogate(in surrogate);
    }

    public override TValue Copy(TValue value, CopyContext context)
    {
        if (value is null)
        {
            return value;
        }
        TSurrogate copy = Codecs<TSurrogate>.Copy(converter.ConvertToSurrogate(in value), context);
        return converter.ConvertFromSurrogate(in copy);
    }
}
