namespace Orleans.Serialization.Codecs;

/// <summary>Values of interfaces, abstract classes and <see cref="object"/>: the type of the value itself is always named.</summary>
internal sealed class PolymorphicCodec<T> : Codec<T>
    where T : class
{
    public override void Write(MessageWriter writer, uint fieldId, T value)
    {
        if (value is null)
        {
            writer.WriteHeader(fieldId, WireType.Null);
        }
        else if (value.GetType() == typeof(object))
        {
            writer.WriteObjectStart(fieldId, null, tracked: false);
            writer.WriteObjectEnd();
        }
        else
        {
            CodecRegistry.Of(value.GetType()).WriteNamed(writer, fieldId, value);
        }
    }

    public override T Read(MessageReader reader, WireType wire)
    {
        switch (wire)
        {
            case WireType.Null:
                return null!;
            case WireType.Reference:
                return reader.ReadReference() as T ?? throw new InvalidDataException($"an object is expected to be {typeof(T)}");
            case WireType.Object when reader.EnterObject() is { } type:
                object value = CodecRegistry.Of(type, typeof(T)).ReadNamed(reader);
                reader.LeaveObject();
                return (T)value;
            case WireType.Object when typeof(T) == typeof(object):
                reader.LeaveObject();
                return reader.ReadHeader(out _) == WireType.End ? (T)new object()
                    : throw new InvalidDataException($"an empty object has members at {reader.Position}");
            default:
                throw reader.Unexpected(wire, typeof(T));
        }
    }

    public override T Copy(T value, CopyContext context) =>
        value is null || value.GetType() == typeof(object) ? value! : (T)CodecRegistry.Of(value.GetType()).CopyObject(value, context);
}
