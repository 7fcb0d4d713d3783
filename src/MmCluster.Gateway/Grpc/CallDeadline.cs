using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using MmCluster.Gateway.OpenAi;
using MmCluster.Models;

namespace MmCluster.Gateway.Grpc;

/// <summary>When a call is given up: the earliest of its own deadline, its message's and the gateway's limit, as one absolute time.</summary>
internal static class CallDeadline
{
    /// <summary>The deadline, or null when none of them sets one.</summary>
    /// <exception cref="MmException">InvalidArgument: the message's time is none; DeadlineExceeded: it has passed.</exception>
    public static DateTimeOffset? Of(ServerCallContext context, Timestamp? message, TimeSpan? limit, TimeProvider time)
    {
        DateTimeOffset now = time.GetUtcNow();
        DateTimeOffset? deadline = limit is { } most ? now + most : null;
        if (context.Deadline != DateTime.MaxValue)
        {
            deadline = Earlier(deadline, new DateTimeOffset(DateTime.SpecifyKind(context.Deadline, DateTimeKind.Utc)));
        }
        if (message is not null)
        {
            deadline = Earlier(deadline, Time(message));
        }
        return deadline <= now
            ? throw new MmException(MmErrorCode.DeadlineExceeded, "the request's deadline has passed") { Param = message is null ? null : "deadline" }
            : deadline;
    }

    private static DateTimeOffset Earlier(DateTimeOffset? one, DateTimeOffset other) => one is { } first && first < other ? first : other;

    private static DateTimeOffset Time(Timestamp message)
    {
        try
        {
            return message.ToDateTimeOffset();
        }
        catch (InvalidOperationException error)
        {
            throw FieldReader.Invalid("deadline", $"'deadline' is no time: {error.Message}");
        }
    }
}
