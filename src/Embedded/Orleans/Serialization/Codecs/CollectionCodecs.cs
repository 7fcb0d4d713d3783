namespace Orleans.Serialization.Codecs;

/// <summary>Elements as fields 1 behind their number in field 0.</summary>
internal static class Elements
{
    public static void WriteCount(MessageWriter writer, int count)
    {
        writer.WriteHeader(0, WireType.Varint);
        writer.WriteVarUInt32((uint)count);
    }

    /// <summary>Reads the number, which is no more than what the rest of the message can hold.</summary>
    public static int ReadCount(MessageReader reader)
    {
        if (reader.ReadHeader(out uint id) != WireType.Varint || id != 0)
        {
            throw new InvalidDataException($"a number of elements is expected at {reader.Position}");
        }
        return reader.ReadCount();
    }

    public static bool TryReadNext<T>(MessageReader reader, out T item)
    {
        for (WireType wire; (wire = reader.ReadHeader(out uint id)) != WireType.End;)
        {
            if (id == 1)
            {
                item = Codecs<T>.Instance.Read(reader, wire);
                return true;
            }
            reader.Skip(wire);
        }
        item = default!;
        return false;
    }
}

internal sealed class ArrayCodec<T> : ReferenceCodec<T[]>
{
    protected override void WriteBody(MessageWriter writer, T[] value)
    {
        Elements.WriteCount(writer, value.Length);
        foreach (T item in value)
        {
            Codecs<T>.Instance.Write(writer, 1, item);
        }
    }

    protected override T[] ReadBody(MessageReader reader)
    {
        int place = reader.AddReference(null);
        int count = Elements.ReadCount(reader);
        // Elements may be large and the announced number a lie: start small.
        List<T> items = new(Math.Min(count, 1024));
        while (Elements.TryReadNext(reader, out T item))
        {
            items.Add(item);
        }
        T[] array = [.. items];
        reader.SetReference(place, array);
        return array;
    }

    protected override T[] CopyBody(T[] value, CopyContext context)
    {
        T[] copy = new T[value.Length];
        context.Add(value, copy);
        if (Codecs<T>.IsImmutable)
        {
            value.AsSpan().CopyTo(copy);
            return copy;
        }
        for (int i = 0; i < copy.Length; i++)
        {
            copy[i] = Codecs<T>.Instance.Copy(value[i], context);
        }
        return copy;
    }
}

/// <summary>Collections that are made empty and then filled.</summary>
internal abstract class FillableCodec<TCollection, T> : ReferenceCodec<TCollection>
    where TCollection : class, ICollection<T>
{
    protected override void WriteBody(MessageWriter writer, TCollection value)
    {
        Elements.WriteCount(writer, value.Count);
        foreach (T item in value)
        {
            Codecs<T>.Instance.Write(writer, 1, item);
        }
    }

    protected override TCollection ReadBody(MessageReader reader)
    {
        int place = reader.AddReference(null);
        int count = Elements.ReadCount(reader);
        TCollection collection = Create(null, Math.Min(count, 1024));
        reader.SetReference(place, collection);
        while (Elements.TryReadNext(reader, out T item))
        {
            Add(collection, item);
        }
        return collection;
    }

    protected override TCollection CopyBody(TCollection value, CopyContext context)
    {
        TCollection copy = Create(value, value.Count);
        context.Add(value, copy);
        foreach (T item in value)
        {
            Add(copy, Codecs<T>.Copy(item, context));
        }
        return copy;
    }

    protected abstract TCollection Create(TCollection? like, int capacity);

    protected abstract void Add(TCollection collection, T item);
}

internal sealed class ListCodec<T> : FillableCodec<List<T>, T>
{
    protected override List<T> Create(List<T>? like, int capacity) => new(capacity);

    protected override void Add(List<T> collection, T item) => collection.Add(item);
}

internal sealed class HashSetCodec<T> : FillableCodec<HashSet<T>, T>
{
    protected override HashSet<T> Create(HashSet<T>? like, int capacity) => new(capacity, like?.Comparer);

    protected override void Add(HashSet<T> collection, T item) => collection.Add(item);
}

internal sealed class DictionaryCodec<TKey, TValue> : FillableCodec<Dictionary<TKey, TValue>, KeyValuePair<TKey, TValue>>
    where TKey : notnull
{
    protected override Dictionary<TKey, TValue> Create(Dictionary<TKey, TValue>? like, int capacity) => new(capacity, like?.Comparer);

    protected override void Add(Dictionary<TKey, TValue> collection, KeyValuePair<TKey, TValue> item)
    {
        if (item.Key is null)
        {
            throw new InvalidDataException($"a key of {typeof(Dictionary<TKey, TValue>)} is null");
        }
        collection[item.Key] = item.Value;
    }
}

/// <summary>Collections that are made from all elements at once and never change after.</summary>
internal sealed class FrozenCodec<TCollection, T>(Func<IEnumerable<T>, TCollection> make) : ReferenceCodec<TCollection>
    where TCollection : class, IEnumerable<T>
{
    protected override void WriteBody(MessageWriter writer, TCollection value)
    {
        Elements.WriteCount(writer, value.Count());
        foreach (T item in value)
        {
            Codecs<T>.Instance.Write(writer, 1, item);
        }
    }

    protected override TCollection ReadBody(MessageReader reader)
    {
        int place = reader.AddReference(null);
        List<T> items = new(Math.Min(Elements.ReadCount(reader), 1024));
        while (Elements.TryReadNext(reader, out T item))
        {
            items.Add(item);
        }
        TCollection collection = make(items);
        reader.SetReference(place, collection);
        return collection;
    }

    protected override TCollection CopyBody(TCollection value, CopyContext context)
    {
        TCollection copy = Codecs<T>.IsImmutable ? value : make([.. value.Select(item => Codecs<T>.Instance.Copy(item, context))]);
        context.Add(value, copy);
        return copy;
    }
}

/// <summary>What the compiler makes of a collection expression for a read-only interface: travels as an array.</summary>
internal sealed class SynthesizedCodec<TCollection, T> : Codec<TCollection>
    where TCollection : class, IEnumerable<T>
{
    public override void Write(MessageWriter writer, uint fieldId, TCollection value) =>
        Codecs<T[]>.Instance.WriteNamed(writer, fieldId, value.ToArray());

    public override void WriteNamed(MessageWriter writer, uint fieldId, object value) => Write(writer, fieldId, (TCollection)value);

    public override TCollection Read(MessageReader reader, WireType wire) => throw reader.Unexpected(wire, typeof(TCollection));

    public override object CopyObject(object value, CopyContext context) => Codecs<T[]>.Instance.Copy([.. (TCollection)value], context);
}
