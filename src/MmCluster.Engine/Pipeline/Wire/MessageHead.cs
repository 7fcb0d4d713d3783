using System.Buffers;

namespace MmCluster.Engine.Pipeline.Wire;

/// <summary>What a message between shards is. Numbers are part of the wire format and never reused.</summary>
internal enum MessageKind
{
    /// <summary>A plan, and the rows that it needs.</summary>
    Step = 1,

    /// <summary>What the last shard sampled.</summary>
    Result = 2,

    /// <summary>A shard has failed; its generation is over.</summary>
    Failure = 3,
}

/// <summary>
/// How every message begins: version i32, kind i32, generation i64, number i64. A generation is a life of the slots: it ends with the first failure, and the
/// next begins with all slots empty. Numbers rise by one within it, from 0.
/// </summary>
internal readonly record struct MessageHead(MessageKind Kind, long Generation, long Number)
{
    private const int Version = 1;

    public void Write(IBufferWriter<byte> target)
    {
        target.Put(Version);
        target.Put((int)Kind);
        target.Put(Generation);
        target.Put(Number);
    }

    /// <exception cref="InvalidDataException">Not a message of this version.</exception>
    public static MessageHead Read(ref WireReader source)
    {
        int version = source.Int();
        var kind = (MessageKind)source.Int();
        return version == Version && Enum.IsDefined(kind)
            ? new MessageHead(kind, source.Long(), source.Long())
            : throw WireReader.Bad($"version {version}, kind {(int)kind}; this build speaks version {Version}");
    }
}
