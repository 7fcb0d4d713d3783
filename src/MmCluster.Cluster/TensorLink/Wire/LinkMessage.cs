using System.Buffers.Binary;
using MmCluster.Tensors;

namespace MmCluster.Cluster.TensorLink.Wire;

/// <summary>What a message asks or answers. Numbers are part of the wire format and never reused.</summary>
internal enum LinkVerb : byte
{
    /// <summary>Asks for a tensor by id. Over shared memory the answer says where it lies; over TCP its bytes follow the answer.</summary>
    Pull = 1,

    /// <summary>Says that a tensor pulled through shared memory is no longer read. Has no answer.</summary>
    Release = 2,

    /// <summary>The tensor asked for.</summary>
    Tensor = 3,

    /// <summary>There is no lease or channel of that id: it ended, or never was.</summary>
    Gone = 4,

    /// <summary>Turns the connection into a channel that the listener waits for; the shape is frames, rows, width.</summary>
    OpenChannel = 5,

    /// <summary>The listener waited for it. Over a unix socket the caller passes the frames' memory next. <see cref="Channels.ChannelHead"/> says what follows.</summary>
    Channel = 6,

    /// <summary>
    /// The same with frames on the caller's GPU: bytes is its slab's size, offset where the frames begin. Over a unix socket alone. Behind the first answer the caller passes
    /// the slab's descriptor; the listener maps it and answers once more: <see cref="Channel"/>, or <see cref="Gone"/> where it cannot, and then the caller passes memory
    /// of the host as for <see cref="OpenChannel"/>.
    /// </summary>
    OpenDeviceChannel = 7,
}

/// <summary>
/// One message: 64 bytes, little-endian, so that no length from outside is ever trusted. verb u8, dtype u8, rank u8, 0 u8, reserved u32 (0; ignored),
/// id i64, bytes i64, offset i64, dimensions 8 x i32.
/// </summary>
internal readonly record struct LinkMessage(LinkVerb Verb, long Id, DType DType = DType.U8, Shape Shape = default, long Bytes = 0, long Offset = 0)
{
    public const int Size = 64;

    private const int DimensionsAt = 32;

    // The wire's own numbers: the enum's may move.
    private static readonly DType[] Types =
        [DType.F32, DType.F16, DType.BF16, DType.I64, DType.I32, DType.U8, DType.Bool, DType.Q8_0, DType.Q4_0];

    /// <summary>Writes it to the first <see cref="Size"/> bytes of <paramref name="target"/>.</summary>
    public void Write(Span<byte> target)
    {
        target[..Size].Clear();
        target[0] = (byte)Verb;
        target[1] = (byte)Array.IndexOf(Types, DType);
        target[2] = (byte)Shape.Rank;
        BinaryPrimitives.WriteInt64LittleEndian(target[8..], Id);
        BinaryPrimitives.WriteInt64LittleEndian(target[16..], Bytes);
        BinaryPrimitives.WriteInt64LittleEndian(target[24..], Offset);
        for (int i = 0; i < Shape.Rank; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(target[(DimensionsAt + (4 * i))..], Shape[i]);
        }
    }

    /// <summary>Reads it, checking that its size follows from its shape.</summary>
    /// <exception cref="InvalidDataException">Not a message of this version.</exception>
    public static LinkMessage Read(ReadOnlySpan<byte> source)
    {
        if (!Enum.IsDefined((LinkVerb)source[0]) || source[1] >= Types.Length || source[2] > Shape.MaxRank)
        {
            throw new InvalidDataException($"tensor link: {source[0]}/{source[1]}/{source[2]} is no verb/type/rank");
        }
        Span<int> dimensions = stackalloc int[source[2]];
        long elements = 1;
        for (int i = 0; i < dimensions.Length; i++)
        {
            dimensions[i] = BinaryPrimitives.ReadInt32LittleEndian(source[(DimensionsAt + (4 * i))..]);
            if (dimensions[i] < 0 || (dimensions[i] > 0 && elements > long.MaxValue / 8 / dimensions[i]))
            {
                throw new InvalidDataException($"tensor link: dimension {dimensions[i]} at {i} is out of range");
            }
            elements *= dimensions[i];
        }
        var message = new LinkMessage(
            (LinkVerb)source[0],
            BinaryPrimitives.ReadInt64LittleEndian(source[8..]),
            Types[source[1]],
            new Shape(dimensions),
            BinaryPrimitives.ReadInt64LittleEndian(source[16..]),
            BinaryPrimitives.ReadInt64LittleEndian(source[24..]));
        return message.Verb != LinkVerb.Tensor || message.Bytes == message.DType.Bytes(elements)
            ? message
            : throw new InvalidDataException($"tensor link: {message.Bytes} bytes announced for {message.DType} {message.Shape}");
    }
}
