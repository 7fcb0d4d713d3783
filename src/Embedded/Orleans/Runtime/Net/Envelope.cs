using Orleans.Runtime.Messaging;
using Orleans.Serialization;
using Orleans.Serialization.Codecs;

namespace Orleans.Runtime.Net;

/// <summary>What stands before the arguments of a request frame.</summary>
internal struct RequestHeader
{
    [Flags]
    public enum Bits : byte
    {
        None = 0,
        OneWay = 1,
        Placement = 2,
        OriginSilo = 4,
        Client = 8,
        Context = 16,
    }

    public Bits Flags;
    public ulong CorrelationId;
    public uint TimeLeftMilliseconds;
    public byte ForwardCount;
    public SiloAddress? OriginSilo;
    public Guid Client;
    public GrainId Target;
    public uint InterfaceId;
    public uint MethodId;
    public Dictionary<string, object>? Context;

    public static RequestHeader Read(MessageReader reader, GrainIdCache ids)
    {
        RequestHeader header = default;
        header.Flags = (Bits)reader.ReadByte();
        header.CorrelationId = reader.ReadVarUInt64();
        header.TimeLeftMilliseconds = reader.ReadVarUInt32();
        header.ForwardCount = reader.ReadByte();
        if ((header.Flags & Bits.OriginSilo) != 0)
        {
            header.OriginSilo = Envelope.ReadSilo(reader);
        }
        if ((header.Flags & Bits.Client) != 0)
        {
            header.Client = new Guid(reader.ReadRaw(16));
        }
        header.Target = ids.Read(reader);
        header.InterfaceId = reader.ReadFixed32();
        header.MethodId = reader.ReadFixed32();
        if ((header.Flags & Bits.Context) != 0)
        {
            header.Context = Codecs<Dictionary<string, object>>.Instance.Read(reader, reader.ReadHeader(out _));
        }
        return header;
    }
}

/// <summary>How the outcome of a request stands in a response frame.</summary>
internal enum ResponseStatus : byte
{
    Success = 0,
    Error = 1,
}

/// <summary>What stands before the result of a response frame.</summary>
internal struct ResponseHeader
{
    public ulong CorrelationId;
    public ResponseStatus Status;

    /// <summary>The silo whose call this answers, where that is not who gets the frame.</summary>
    public SiloAddress? TargetSilo;

    /// <summary>The client whose call this answers.</summary>
    public Guid Client;

    /// <summary>The silo that ran a client's call; set by its gateway's peer or the gateway.</summary>
    public SiloAddress? Responder;

    public static ResponseHeader Read(MessageReader reader)
    {
        ResponseHeader header = default;
        byte flags = reader.ReadByte();
        header.CorrelationId = reader.ReadVarUInt64();
        header.Status = (ResponseStatus)reader.ReadByte();
        if ((flags & 1) != 0)
        {
            header.TargetSilo = Envelope.ReadSilo(reader);
        }
        if ((flags & 2) != 0)
        {
            header.Client = new Guid(reader.ReadRaw(16));
        }
        if ((flags & 4) != 0)
        {
            header.Responder = Envelope.ReadSilo(reader);
        }
        return header;
    }
}

/// <summary>Writes frames.</summary>
internal static class Envelope
{
    public static void WriteRequest(MessageWriter writer, Request request, uint timeLeft)
    {
        RequestHeader.Bits flags = RequestHeader.Bits.None;
        flags |= request.Method.IsOneWay ? RequestHeader.Bits.OneWay : 0;
        flags |= request.IsPlacement ? RequestHeader.Bits.Placement : 0;
        flags |= request.OriginSilo is not null ? RequestHeader.Bits.OriginSilo : 0;
        flags |= request.OriginClient != Guid.Empty ? RequestHeader.Bits.Client : 0;
        flags |= request.Context is { Count: > 0 } ? RequestHeader.Bits.Context : 0;
        Start(writer, FrameType.Request);
        writer.WriteByte((byte)flags);
        writer.WriteVarUInt64(request.CorrelationId);
        writer.WriteVarUInt32(timeLeft);
        writer.WriteByte((byte)Math.Min(request.ForwardCount, 255));
        if (request.OriginSilo is { } origin)
        {
            WriteSilo(writer, origin);
        }
        if (request.OriginClient != Guid.Empty)
        {
            writer.WriteRaw(request.OriginClient.ToByteArray());
        }
        writer.WriteBlock(request.Target.Type.AsSpan());
        writer.WriteBlock(request.Target.Key.AsSpan());
        writer.WriteFixed32(request.Method.InterfaceId);
        writer.WriteFixed32(request.Method.MethodId);
        if ((flags & RequestHeader.Bits.Context) != 0)
        {
            Codecs<Dictionary<string, object>>.Instance.Write(writer, 0, request.Context!);
        }
        request.WriteArguments(writer);
    }

    public static void WriteResponse(MessageWriter writer, Request request, SiloAddress? target, Exception? error)
    {
        int start = writer.Length;
        try
        {
            StartResponse(writer, request, target, error is null ? ResponseStatus.Success : ResponseStatus.Error);
            if (error is null)
            {
                request.WriteResult(writer);
                return;
            }
            ExceptionEnvelope.Write(writer, 0, error);
        }
        catch (Exception failure)
        {
            // The result cannot be written: that is what the caller must hear.
            writer.Truncate(start);
            StartResponse(writer, request, target, ResponseStatus.Error);
            ExceptionEnvelope.Write(writer, 0, new OrleansException(
                $"The {(error is null ? "result" : "error")} of {request.Method} could not be serialized: {failure.Message}"));
        }
    }

    /// <summary>Writes a response that is only passed on.</summary>
    public static void WriteForwarded(MessageWriter writer, ResponseHeader header, byte[] body)
    {
        Start(writer, FrameType.Response);
        writer.WriteByte((byte)((header.TargetSilo is not null ? 1 : 0) | (header.Client != Guid.Empty ? 2 : 0) | (header.Responder is not null ? 4 : 0)));
        writer.WriteVarUInt64(header.CorrelationId);
        writer.WriteByte((byte)header.Status);
        if (header.TargetSilo is not null)
        {
            WriteSilo(writer, header.TargetSilo);
        }
        if (header.Client != Guid.Empty)
        {
            writer.WriteRaw(header.Client.ToByteArray());
        }
        if (header.Responder is not null)
        {
            WriteSilo(writer, header.Responder);
        }
        writer.WriteRaw(body);
    }

    /// <param name="writer">Where to.</param>
    /// <param name="correlationId">The call's number at its caller.</param>
    /// <param name="target">The grain.</param>
    /// <param name="origin">The silo that called, where that is not who sends this.</param>
    /// <param name="client">The client that called.</param>
    public static void WriteCancel(MessageWriter writer, ulong correlationId, GrainId target, SiloAddress? origin, Guid client)
    {
        Start(writer, FrameType.Cancel);
        writer.WriteVarUInt64(correlationId);
        writer.WriteText(origin?.ToParsableString() ?? "");
        writer.WriteRaw(client.ToByteArray());
        writer.WriteBlock(target.Type.AsSpan());
        writer.WriteBlock(target.Key.AsSpan());
    }

    public static void Start(MessageWriter writer, FrameType type)
    {
        writer.WriteFixed32(0); // the length, patched when the frame is sent
        writer.WriteByte((byte)type);
    }

    public static void WriteSilo(MessageWriter writer, SiloAddress silo) => writer.WriteText(silo.ToParsableString());

    public static SiloAddress ReadSilo(MessageReader reader)
    {
        ReadOnlySpan<byte> text = reader.ReadBlock();
        return text.Length <= 128 && SiloAddress.TryParse(text, out SiloAddress? silo) ? silo
            : throw new InvalidDataException("a silo address is malformed");
    }

    private static void StartResponse(MessageWriter writer, Request request, SiloAddress? target, ResponseStatus status)
    {
        Start(writer, FrameType.Response);
        writer.WriteByte((byte)((target is not null ? 1 : 0) | (request.OriginClient != Guid.Empty ? 2 : 0)));
        writer.WriteVarUInt64(request.CorrelationId);
        writer.WriteByte((byte)status);
        if (target is not null)
        {
            WriteSilo(writer, target);
        }
        if (request.OriginClient != Guid.Empty)
        {
            writer.WriteRaw(request.OriginClient.ToByteArray());
        }
    }
}

/// <summary>Grain ids met before, so that a busy grain's id is not made anew for each message. Belongs to one connection.</summary>
internal sealed class GrainIdCache
{
    private const int Size = 256;
    private const int MaxIdBytes = 4096;

    private GrainId[]? _ids;

    public GrainId Read(MessageReader reader)
    {
        ReadOnlySpan<byte> type = reader.ReadBlock();
        ReadOnlySpan<byte> key = reader.ReadBlock();
        if (type.Length + key.Length > MaxIdBytes)
        {
            throw new InvalidDataException($"a grain id has {type.Length + key.Length} bytes; {MaxIdBytes} are allowed");
        }
        uint hash = Internal.StableHash.Mix(Internal.StableHash.Compute(type), Internal.StableHash.Compute(key));
        ref GrainId known = ref (_ids ??= new GrainId[Size])[hash % Size];
        if (!known.Type.AsSpan().SequenceEqual(type) || !known.Key.AsSpan().SequenceEqual(key))
        {
            known = new GrainId(new GrainType(type.ToArray()), new IdSpan(key.ToArray()));
        }
        return known;
    }
}
