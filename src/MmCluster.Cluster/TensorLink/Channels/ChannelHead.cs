using System.Buffers.Binary;

namespace MmCluster.Cluster.TensorLink.Channels;

/// <summary>
/// What precedes each message on a channel, little-endian: number i64 (rises by one), header bytes i32, rows i32. The header follows; over TCP the rows do, too, through
/// shared memory they lie in frame number % frames. Credits go the other way: i64, messages given back so far.
/// </summary>
internal readonly record struct ChannelHead(long Number, int HeaderBytes, int Rows)
{
    public const int Size = 16;

    public const int CreditSize = sizeof(long);

    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteInt64LittleEndian(target, Number);
        BinaryPrimitives.WriteInt32LittleEndian(target[8..], HeaderBytes);
        BinaryPrimitives.WriteInt32LittleEndian(target[12..], Rows);
    }

    /// <summary>Reads one and checks it against what may come.</summary>
    /// <exception cref="InvalidDataException">Another number is due, or a length is beyond what was agreed on.</exception>
    public static ChannelHead Read(ReadOnlySpan<byte> source, long due, ChannelShape shape)
    {
        ChannelHead head = new(
            BinaryPrimitives.ReadInt64LittleEndian(source),
            BinaryPrimitives.ReadInt32LittleEndian(source[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[12..]));
        return head.Number == due && head.HeaderBytes is >= 0 and <= ChannelShape.MaxHeaderBytes && head.Rows >= 0 && head.Rows <= shape.Rows
            ? head
            : throw new InvalidDataException($"tensor link: a channel of {shape} got {head} where number {due} was due");
    }
}
