using Google.Protobuf.Reflection;

namespace MmCluster.Protos.Tests;

/// <summary>Descriptors as lines, one a fact that the wire or a client depends on; sorted, so that the file's changes read as a review does.</summary>
internal static class ContractDump
{
    /// <summary>The lines of <paramref name="files"/>.</summary>
    public static string[] Lines(params IEnumerable<FileDescriptor> files) =>
        [.. files.SelectMany(Of).Order(StringComparer.Ordinal)];

    private static IEnumerable<string> Of(FileDescriptor file) =>
        [.. file.MessageTypes.SelectMany(Of), .. file.EnumTypes.SelectMany(Of), .. file.Services.SelectMany(Of)];

    private static IEnumerable<string> Of(MessageDescriptor message)
    {
        if (message.GetOptions()?.MapEntry == true)
        {
            return [];
        }
        return
        [
            $"message {message.FullName}",
            .. message.Fields.InDeclarationOrder().Select(field => $"field {message.FullName} {field.FieldNumber} {TypeOf(field)} {field.Name}"),
            .. message.ToProto().ReservedRange.SelectMany(range =>
                Enumerable.Range(range.Start, range.End - range.Start).Select(number => $"reserved {message.FullName} {number}")),
            .. message.NestedTypes.SelectMany(Of),
            .. message.EnumTypes.SelectMany(Of),
        ];
    }

    private static IEnumerable<string> Of(EnumDescriptor type) =>
        [$"enum {type.FullName}", .. type.Values.Select(value => $"value {type.FullName} {value.Number} {value.Name}")];

    private static IEnumerable<string> Of(ServiceDescriptor service) =>
    [
        $"service {service.FullName}",
        .. service.Methods.Select(method =>
            $"method {service.FullName}/{method.Name} {Stream(method.IsClientStreaming)}{method.InputType.FullName} -> {Stream(method.IsServerStreaming)}{method.OutputType.FullName}"),
    ];

    private static string TypeOf(FieldDescriptor field)
    {
        if (field.IsMap)
        {
            MessageDescriptor entry = field.MessageType;
            return $"map<{Scalar(entry.FindFieldByNumber(1))},{Scalar(entry.FindFieldByNumber(2))}>";
        }
        string label = field.IsRepeated ? "repeated-" : field.RealContainingOneof is { } choice ? $"oneof({choice.Name})-" : field.HasPresence && field.FieldType != FieldType.Message ? "optional-" : "";
        return label + Scalar(field);
    }

    private static string Scalar(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Message => field.MessageType.FullName,
        FieldType.Enum => field.EnumType.FullName,
        var scalar => scalar.ToString().ToLowerInvariant(),
    };

    private static string Stream(bool streams) => streams ? "stream " : "";
}
