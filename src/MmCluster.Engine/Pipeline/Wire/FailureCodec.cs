using System.Buffers;
using MmCluster.Models;

namespace MmCluster.Engine.Pipeline.Wire;

/// <summary>Errors between shards: code, message, parameter.</summary>
internal static class FailureCodec
{
    private const int MaxTextBytes = 1 << 16;

    public static void Write(IBufferWriter<byte> target, MmException error)
    {
        target.Put((int)error.Code);
        target.Put(error.Message.Length > MaxTextBytes / 4 ? error.Message[..(MaxTextBytes / 4)] : error.Message);
        target.Put(error.Param);
    }

    public static MmException Read(ref WireReader source)
    {
        var code = (MmErrorCode)source.Int();
        string message = source.Text(MaxTextBytes, "an error's message") ?? "";
        string? param = source.Text(MaxTextBytes, "an error's parameter");
        return Enum.IsDefined(code) ? new MmException(code, message) { Param = param } : throw WireReader.Bad($"error code {(int)code}");
    }

    /// <summary>Slots at fault.</summary>
    public static void WriteAll(IBufferWriter<byte> target, IReadOnlyList<SlotFailure> failures)
    {
        target.Put(failures.Count);
        for (int i = 0; i < failures.Count; i++)
        {
            target.Put(failures[i].Slot);
            Write(target, failures[i].Error);
        }
    }

    /// <summary>Adds slots at fault to <paramref name="result"/>.</summary>
    public static void ReadAll(ref WireReader source, int slots, StepResult result)
    {
        for (int count = source.Count(slots, "failures"); count > 0; count--)
        {
            int slot = source.Int(0, slots - 1, "a failed slot");
            result.Fail(slot, Read(ref source));
        }
    }
}
