using System.Buffers;

namespace Grpc.Core;

/// <summary>Where a serializer puts one message's bytes.</summary>
public abstract class SerializationContext
{
    /// <summary>For derived classes.</summary>
    protected SerializationContext()
    {
    }

    /// <summary>Ends the message with an array of its bytes.</summary>
    public virtual void Complete(byte[] payload) => throw new NotSupportedException("this context does not offer this way");

    /// <summary>A writer for the message's bytes; call <see cref="Complete()"/> after the last.</summary>
    public virtual IBufferWriter<byte> GetBufferWriter() => throw new NotSupportedException("this context does not offer this way");

    /// <summary>Says the message's bytes in advance, so that the buffer fits at once.</summary>
    public virtual void SetPayloadLength(int payloadLength)
    {
    }

    /// <summary>Ends the message written through <see cref="GetBufferWriter"/>.</summary>
    public virtual void Complete() => throw new NotSupportedException("this context does not offer this way");
}

/// <summary>Where a deserializer finds one message's bytes; valid only during its call.</summary>
public abstract class DeserializationContext
{
    /// <summary>For derived classes.</summary>
    protected DeserializationContext()
    {
    }

    /// <summary>The message's bytes.</summary>
    public abstract int PayloadLength { get; }

    /// <summary>The bytes as a new array.</summary>
    public virtual byte[] PayloadAsNewBuffer() => throw new NotSupportedException("this context does not offer this way");

    /// <summary>The bytes where they lie; not valid after the deserializer returned.</summary>
    public virtual ReadOnlySequence<byte> PayloadAsReadOnlySequence() => throw new NotSupportedException("this context does not offer this way");
}

/// <summary>Collects a message for <see cref="Marshaller{T}.Serializer"/>.</summary>
internal sealed class ArraySerializationContext : SerializationContext
{
    private readonly ArrayBufferWriter<byte> _writer = new();
    private byte[]? _payload;

    public override void Complete(byte[] payload) => _payload = payload;

    public override IBufferWriter<byte> GetBufferWriter() => _writer;

    public override void Complete() => _payload = _writer.WrittenSpan.ToArray();

    public byte[] ToArray() => _payload ?? throw new InvalidOperationException("The serializer did not complete the message.");
}

/// <summary>Wraps an array for <see cref="Marshaller{T}.Deserializer"/>.</summary>
internal sealed class ArrayDeserializationContext(byte[] payload) : DeserializationContext
{
    public override int PayloadLength => payload.Length;

    public override byte[] PayloadAsNewBuffer() => payload;

    public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => new(payload);
}
