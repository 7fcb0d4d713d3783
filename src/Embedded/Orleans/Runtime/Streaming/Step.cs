using Orleans.Serialization;
using Orleans.Serialization.Codecs;

namespace Orleans.Runtime.Streaming;

/// <summary>How an enumeration stands after a step.</summary>
internal enum StepStatus
{
    /// <summary>Items follow; ask again.</summary>
    Items,

    /// <summary>Nothing came within the polling time; ask again.</summary>
    Heartbeat,

    /// <summary>Items may follow; there are no more after them.</summary>
    Completed,

    /// <summary>The enumerator is not there any more.</summary>
    Missing,

    /// <summary>The method has failed, after the items that follow.</summary>
    Failed,
}

/// <summary>What came of asking an enumeration once. Written by the side that knows the item type, read by the one that knows it too.</summary>
internal abstract class Step(StepStatus status, Exception? error)
{
    public StepStatus Status { get; } = status;

    public Exception? Error { get; } = error;

    public static Step Missing { get; } = new Step<byte>(StepStatus.Missing, [], null);

    public void Write(MessageWriter writer)
    {
        writer.WriteObjectStart(0, null, tracked: false);
        Codecs<uint>.Instance.Write(writer, 0, (uint)Status);
        if (Error is not null)
        {
            ExceptionEnvelope.Write(writer, 1, Error);
        }
        WriteItems(writer);
        writer.WriteObjectEnd();
    }

    protected abstract void WriteItems(MessageWriter writer);
}

/// <summary>A step with its items.</summary>
internal sealed class Step<T>(StepStatus status, T[] items, Exception? error) : Step(status, error)
{
    public T[] Items { get; } = items;

    public static Step<T> Read(MessageReader reader, WireType wire)
    {
        if (wire != WireType.Object || reader.EnterObject() is not null)
        {
            throw reader.Unexpected(wire, typeof(Step<T>));
        }
        StepStatus status = StepStatus.Missing;
        Exception? error = null;
        List<T> items = [];
        while ((wire = reader.ReadHeader(out uint id)) != WireType.End)
        {
            switch (id)
            {
                case 0:
                    status = (StepStatus)Math.Min(Codecs<uint>.Instance.Read(reader, wire), (uint)StepStatus.Failed);
                    break;
                case 1:
                    error = ExceptionEnvelope.Read(reader, wire);
                    break;
                case 2:
                    items.Add(Codecs<T>.Instance.Read(reader, wire));
                    break;
                default:
                    reader.Skip(wire);
                    break;
            }
        }
        reader.LeaveObject();
        return new Step<T>(status, [.. items], error);
    }

    protected override void WriteItems(MessageWriter writer)
    {
        foreach (T item in Items)
        {
            Codecs<T>.Instance.Write(writer, 2, item);
        }
    }
}
