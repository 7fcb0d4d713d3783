using System.Runtime.CompilerServices;

namespace Orleans.Serialization.Codecs;

/// <summary>What every exception carries: text, stack, cause and HResult; written as the part of the base class.</summary>
internal static class ExceptionFields
{
    public static void Write(MessageWriter writer, Exception value)
    {
        Codecs<string>.Instance.Write(writer, 0, Message(value) ?? value.Message);
        Codecs<string>.Instance.Write(writer, 1, value.StackTrace!);
        if (value.InnerException is { } inner)
        {
            ExceptionEnvelope.Write(writer, 2, inner);
        }
        Codecs<int>.Instance.Write(writer, 3, value.HResult);
        writer.WriteEndBase();
    }

    public static void Read(MessageReader reader, Exception value)
    {
        for (WireType wire; (wire = reader.ReadHeader(out uint id)) != WireType.End;)
        {
            switch (id)
            {
                case 0:
                    Message(value) = Codecs<string>.Instance.Read(reader, wire);
                    break;
                case 1:
                    RemoteStackTrace(value) = Codecs<string>.Instance.Read(reader, wire);
                    break;
                case 2:
                    Inner(value) = ExceptionEnvelope.Read(reader, wire);
                    break;
                case 3:
                    value.HResult = Codecs<int>.Instance.Read(reader, wire);
                    break;
                default:
                    reader.Skip(wire);
                    break;
            }
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_message")]
    private static extern ref string? Message(Exception exception);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_innerException")]
    private static extern ref Exception? Inner(Exception exception);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_innerExceptions")]
    public static extern ref Exception[] InnerExceptions(AggregateException exception);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_remoteStackTraceString")]
    private static extern ref string? RemoteStackTrace(Exception exception);
}

/// <summary>An exception with its type's name and text in front, so that a process without the type still has those.</summary>
internal static class ExceptionEnvelope
{
    public static void Write(MessageWriter writer, uint fieldId, Exception exception)
    {
        writer.WriteObjectStart(fieldId, null, tracked: false);
        Codecs<string>.Instance.Write(writer, 0, TypeRegistry.NameOf(exception.GetType()));
        Codecs<string>.Instance.Write(writer, 1, exception.Message);
        Codecs<string>.Instance.Write(writer, 2, exception.StackTrace!);
        CodecRegistry.Of(exception.GetType()).WriteNamed(writer, 3, exception);
        writer.WriteObjectEnd();
    }

    public static Exception Read(MessageReader reader, WireType wire)
    {
        if (wire != WireType.Object || reader.EnterObject() is not null)
        {
            throw reader.Unexpected(wire, typeof(Exception));
        }
        string name = "?";
        string message = "";
        string? stack = null;
        Exception? exception = null;
        while ((wire = reader.ReadHeader(out uint id)) != WireType.End)
        {
            switch (id)
            {
                case 0:
                    name = Codecs<string>.Instance.Read(reader, wire);
                    break;
                case 1:
                    message = Codecs<string>.Instance.Read(reader, wire);
                    break;
                case 2:
                    stack = Codecs<string>.Instance.Read(reader, wire);
                    break;
                case 3 when TypeRegistry.TryTypeOf(System.Text.Encoding.UTF8.GetBytes(name)) is { } type && typeof(Exception).IsAssignableFrom(type):
                    exception = Codecs<Exception>.Instance.Read(reader, wire);
                    break;
                default:
                    reader.Skip(wire);
                    break;
            }
        }
        reader.LeaveObject();
        return exception ?? new UnavailableExceptionFallbackException(name, message, stack);
    }
}

/// <summary>Stands for an exception whose type this process does not have.</summary>
internal sealed class UnavailableExceptionFallbackException(string exceptionType, string message, string? stack)
    : Exception($"{exceptionType}: {message}")
{
    public string ExceptionType { get; } = exceptionType;

    public override string? StackTrace => stack;
}

/// <summary>Exceptions that nobody annotated: the type is kept, and what every exception carries.</summary>
internal sealed class ExceptionCodec<T> : ObjectCodec<T>
    where T : Exception
{
    public override T Create() => (T)RuntimeHelpers.GetUninitializedObject(typeof(T));

    public override void WriteMembers(MessageWriter writer, T value)
    {
        ExceptionFields.Write(writer, value);
        if (value is AggregateException aggregate)
        {
            foreach (Exception inner in aggregate.InnerExceptions)
            {
                ExceptionEnvelope.Write(writer, 0, inner);
            }
        }
    }

    public override void ReadMembers(MessageReader reader, T value)
    {
        ExceptionFields.Read(reader, value);
        List<Exception> inner = [];
        for (WireType wire; (wire = reader.ReadHeader(out uint id)) != WireType.End;)
        {
            if (id == 0 && value is AggregateException)
            {
                inner.Add(ExceptionEnvelope.Read(reader, wire));
            }
            else
            {
                reader.Skip(wire);
            }
        }
        if (value is AggregateException aggregate)
        {
            ExceptionFields.InnerExceptions(aggregate) = [.. inner]; // its text fails without
        }
    }

    // Exceptions are handed over inside a process as they are.
    public override bool IsImmutable => true;

    public override void CopyMembers(T from, T to, CopyContext context) => throw new NotSupportedException("exceptions are not copied.");
}
