#pragma warning disable MM0001 // the attacks are made of the real writer's frames, so that they come as deep as calls do
using Orleans;
using Orleans.Runtime;
using Orleans.Runtime.Messaging;
using Orleans.Runtime.Net;
using Orleans.Serialization;
using OrleansGenerated;

namespace MmCluster.Fuzz.Orleans;

/// <summary>Frames of real calls, damaged behind the header: the silo knows their methods and reads their arguments.</summary>
internal static class Frames
{
    private static readonly GrainType Type = GrainType.Create("fuzz");

    /// <summary>A call as a caller writes it.</summary>
    public static byte[] Intact(Random random) => Write(Draw(random), out _);

    /// <summary>A call whose arguments are damaged and whose length is right.</summary>
    public static byte[] Damaged(Random random)
    {
        byte[] frame = Write(Draw(random), out int arguments);
        List<byte> rest = [.. frame.AsSpan(arguments)];
        for (int i = random.Next(1, 5); i > 0; i--)
        {
            Damage(rest, random);
        }
        byte[] damaged = [.. frame.AsSpan(0, arguments), .. rest];
        BitConverter.TryWriteBytes(damaged, damaged.Length - Frame.LengthSize);
        return damaged;
    }

    /// <summary>The number of the call that a frame's payload answers, and whether it succeeded; null for other frames.</summary>
    public static (ulong Id, bool Succeeded)? ReadAnswer(byte type, byte[] payload)
    {
        if (type != (byte)FrameType.Response)
        {
            return null;
        }
        MessageReader reader = MessageReader.Rent(payload, 0, payload.Length);
        ResponseHeader header = ResponseHeader.Read(reader);
        reader.Return();
        return (header.CorrelationId, header.Status == ResponseStatus.Success);
    }

    private static Request Draw(Random random)
    {
        FuzzMessage message = FuzzMessage.Draw(random);
        Request request = random.Next(4) switch
        {
            0 => new Call_MmCluster_Fuzz_Orleans_IFuzzGrain_1 { A0 = message.Text },
            1 => new Call_MmCluster_Fuzz_Orleans_IFuzzGrain_2 { EnumerationId = Guid.NewGuid(), A0 = message, A1 = random.Next(10) },
            2 => new Call_MmCluster_Fuzz_Orleans_IFuzzGrain_3(),
            _ => new Call_MmCluster_Fuzz_Orleans_IFuzzGrain_0 { A0 = message, A1 = new() { ["a"] = [1, null] }, A2 = message.Anything },
        };
        request.Target = GrainId.Create(Type, GrainKeys.Of(random.Next(4)));
        request.CorrelationId = (ulong)random.NextInt64();
        return request;
    }

    private static byte[] Write(Request request, out int arguments)
    {
        MessageWriter writer = MessageWriter.Rent();
        try
        {
            request.WriteArguments(writer);
            int length = writer.Length;
            writer.Truncate(0);
            Envelope.WriteRequest(writer, request, timeLeft: 1000);
            arguments = writer.Length - length;
            return Connection.Finish(writer);
        }
        finally
        {
            writer.Return();
        }
    }

    private static void Damage(List<byte> bytes, Random random)
    {
        int at = random.Next(bytes.Count);
        switch (random.Next(5))
        {
            case 0: // cut off
                bytes.RemoveRange(at, bytes.Count - at);
                bytes.Add((byte)random.Next(256));
                break;
            case 1: // a part twice
                bytes.InsertRange(at, bytes.GetRange(at, random.Next(bytes.Count - at)));
                break;
            case 2: // a length or a number that is huge
                bytes.InsertRange(at, [0xFF, 0xFF, 0xFF, 0xFF, 0x0F]);
                break;
            case 3: // objects in objects
                bytes.InsertRange(at, Enumerable.Repeat(new byte[] { (2 << 3) | (int)WireType.Object, 0 }, random.Next(1, 2000)).SelectMany(pair => pair));
                break;
            default:
                bytes[at] = (byte)random.Next(256);
                break;
        }
    }
}
