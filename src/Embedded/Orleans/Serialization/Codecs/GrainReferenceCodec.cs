using Orleans.Runtime;

namespace Orleans.Serialization.Codecs;

/// <summary>References to grains and observers: the id and the interface; the reader binds them to its own runtime.</summary>
internal sealed class GrainReferenceCodec<T> : Codec<T>
    where T : class, IAddressable
{
    public override bool IsImmutable => false;

    public override void Write(MessageWriter writer, uint fieldId, T value)
    {
        if (value is null)
        {
            writer.WriteHeader(fieldId, WireType.Null);
            return;
        }
        GrainReference reference = Check(value);
        writer.WriteObjectStart(fieldId, null, tracked: false);
        Codecs<GrainId>.Instance.Write(writer, 0, reference.GrainId);
        Codecs<string>.Instance.Write(writer, 1, reference.InterfaceName);
        writer.WriteObjectEnd();
    }

    public override T Read(MessageReader reader, WireType wire)
    {
        if (wire == WireType.Null)
        {
            return null!;
        }
        if (wire != WireType.Object || reader.EnterObject() is not null)
        {
            throw reader.Unexpected(wire, typeof(T));
        }
        GrainId id = default;
        string name = "";
        while ((wire = reader.ReadHeader(out uint field)) != WireType.End)
        {
            switch (field)
            {
                case 0:
                    id = Codecs<GrainId>.Instance.Read(reader, wire);
                    break;
                case 1:
                    name = Codecs<string>.Instance.Read(reader, wire);
                    break;
                default:
                    reader.Skip(wire);
                    break;
            }
        }
        reader.LeaveObject();
        ReferenceRuntime runtime = reader.Runtime ?? throw new InvalidDataException("a grain reference stands where no cluster is known");
        return runtime.References.Create(id, name) as T ?? throw new InvalidDataException($"{name} is no {typeof(T)}");
    }

    // A runtime type is a generated proxy: its name is its interface's.
    public override void WriteNamed(MessageWriter writer, uint fieldId, object value)
    {
        GrainReference reference = Check(value);
        writer.WriteObjectStart(fieldId, reference.InterfaceType, tracked: false);
        Write(writer, 0, (T)value);
        writer.WriteObjectEnd();
    }

    public override T Copy(T value, CopyContext context) => value is null ? null! : (T)(object)Check(value);

    private static GrainReference Check(object value) => value as GrainReference
        ?? throw new NotSupportedException($"{value.GetType()} cannot be sent: send a reference to it, made by AsReference or CreateObjectReference.");
}
