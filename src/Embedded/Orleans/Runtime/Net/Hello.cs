using Orleans.Serialization;

namespace Orleans.Runtime.Net;

/// <summary>The first frame of each side: who speaks, to which cluster and to whom it believes to speak.</summary>
/// <param name="ClusterId">Must be the same on both sides.</param>
/// <param name="Silo">The silo that speaks; null for a client.</param>
/// <param name="Client">The client that speaks.</param>
/// <param name="Expected">The silo that is dialled, or null: a later silo on that port must not take the messages of an earlier one.</param>
internal sealed record Hello(string ClusterId, SiloAddress? Silo, Guid Client, SiloAddress? Expected)
{
    public void Write(MessageWriter writer)
    {
        writer.WriteFixed32(0);
        writer.WriteByte((byte)FrameType.Hello);
        writer.WriteFixed32(Frame.Magic);
        writer.WriteVarUInt32(Frame.Version);
        writer.WriteText(ClusterId);
        writer.WriteText(Silo?.ToParsableString() ?? "");
        writer.WriteRaw(Client.ToByteArray());
        writer.WriteText(Expected?.ToParsableString() ?? "");
    }

    public static Hello Read(byte[] payload)
    {
        MessageReader reader = MessageReader.Rent(payload, 0, payload.Length);
        try
        {
            if (reader.ReadFixed32() != Frame.Magic)
            {
                throw new InvalidDataException("the magic number is wrong");
            }
            uint version = reader.ReadVarUInt32();
            if (version != Frame.Version)
            {
                throw new InvalidDataException($"the protocol has version {version}; {Frame.Version} is spoken here");
            }
            return new Hello(reader.ReadText(), ReadSilo(reader), new Guid(reader.ReadRaw(16)), ReadSilo(reader));
        }
        finally
        {
            reader.Return();
        }
    }

    internal static SiloAddress? ReadSilo(MessageReader reader)
    {
        string text = reader.ReadText();
        return text.Length == 0 ? null
            : SiloAddress.TryParse(text, out SiloAddress? silo) ? silo
            : throw new InvalidDataException($"'{text}' is no silo address");
    }
}

/// <summary>The answer to a <see cref="Hello"/>: who answers, or why not.</summary>
internal sealed record HelloReply(SiloAddress? Silo, string Refusal)
{
    public void Write(MessageWriter writer)
    {
        writer.WriteFixed32(0);
        writer.WriteByte((byte)FrameType.HelloReply);
        writer.WriteFixed32(Frame.Magic);
        writer.WriteText(Silo?.ToParsableString() ?? "");
        writer.WriteText(Refusal);
    }

    public static HelloReply Read(byte[] payload)
    {
        MessageReader reader = MessageReader.Rent(payload, 0, payload.Length);
        try
        {
            if (reader.ReadFixed32() != Frame.Magic)
            {
                throw new InvalidDataException("the magic number is wrong");
            }
            return new HelloReply(Hello.ReadSilo(reader), reader.ReadText());
        }
        finally
        {
            reader.Return();
        }
    }
}
