using System.Runtime.InteropServices;

namespace Orleans.Serialization.Codecs;

/// <summary>Arrays of numbers as one block.</summary>
internal sealed class BlockArrayCodec<T> : Codec<T[]>
    where T : unmanaged
{
    public override void Write(MessageWriter writer, uint fieldId, T[] value)
    {
        if (value is null)
        {
            writer.WriteHeader(fieldId, WireType.Null);
            return;
        }
        writer.WriteHeader(fieldId, WireType.Bytes);
        writer.WriteBlock(MemoryMarshal.AsBytes(value.AsSpan()));
    }

    public override T[] Read(MessageReader reader, WireType wire) => wire switch
    {
        WireType.Null => null!,
        WireType.Bytes => Blocks.Read<T>(reader),
        _ => throw reader.Unexpected(wire, typeof(T[])),
    };

    public override T[] Copy(T[] value, CopyContext context) => value is null ? null! : value.Length == 0 ? value : (T[])value.Clone();
}

/// <summary>Memory of numbers as one block.</summary>
internal sealed class MemoryCodec<T> : Codec<Memory<T>>
    where T : unmanaged
{
    public override void Write(MessageWriter writer, uint fieldId, Memory<T> value)
    {
        writer.WriteHeader(fieldId, WireType.Bytes);
        writer.WriteBlock(MemoryMarshal.AsBytes(value.Span));
    }

    public override Memory<T> Read(MessageReader reader, WireType wire) =>
        wire == WireType.Bytes ? Blocks.Read<T>(reader) : throw reader.Unexpected(wire, typeof(Memory<T>));

    public override Memory<T> Copy(Memory<T> value, CopyContext context) => value.ToArray();
}

/// <summary>Read-only memory of numbers as one block; copied, since its owner may change it.</summary>
internal sealed class ReadOnlyMemoryCodec<T> : Codec<ReadOnlyMemory<T>>
    where T : unmanaged
{
    public override void Write(MessageWriter writer, uint fieldId, ReadOnlyMemory<T> value)
    {
        writer.WriteHeader(fieldId, WireType.Bytes);
        writer.WriteBlock(MemoryMarshal.AsBytes(value.Span));
    }

    public override ReadOnlyMemory<T> Read(MessageReader reader, WireType wire) =>
        wire == WireType.Bytes ? Blocks.Read<T>(reader) : throw reader.Unexpected(wire, typeof(ReadOnlyMemory<T>));

    public override ReadOnlyMemory<T> Copy(ReadOnlyMemory<T> value, CopyContext context) => value.ToArray();
}

internal static class Blocks
{
    public static T[] Read<T>(MessageReader reader)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = reader.ReadBlock();
        int size = System.Runtime.CompilerServices.Unsafe.SizeOf<T>();
        if (bytes.Length % size != 0)
        {
            throw new InvalidDataException($"{bytes.Length} bytes are no array of {typeof(T)}");
        }
        T[] values = bytes.IsEmpty ? [] : GC.AllocateUninitializedArray<T>(bytes.Length / size);
        bytes.CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }
}
