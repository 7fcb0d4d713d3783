using Microsoft.CodeAnalysis;

namespace MmCluster.Embedded.Orleans.Generator;

/// <summary>By what kind of task a method returns.</summary>
internal enum CallKind
{
    None,
    Void,
    Task,
    TaskWithResult,
    ValueTask,
    ValueTaskWithResult,
    Stream,
}

/// <summary>What a grain method takes and returns.</summary>
internal sealed class MethodShape
{
    private MethodShape(CallKind kind, ITypeSymbol? result, IParameterSymbol[] arguments, int tokens)
    {
        Kind = kind;
        Result = result;
        Arguments = arguments;
        Tokens = tokens;
    }

    public CallKind Kind { get; }

    public ITypeSymbol? Result { get; }

    /// <summary>The parameters that are serialized: all but the token.</summary>
    public IParameterSymbol[] Arguments { get; }

    public int Tokens { get; }

    public string BaseClass => Kind switch
    {
        CallKind.Void => "global::Orleans.Runtime.Messaging.VoidRequest",
        CallKind.Task => "global::Orleans.Runtime.Messaging.TaskRequest",
        CallKind.TaskWithResult => $"global::Orleans.Runtime.Messaging.TaskRequest<{Result!.Full()}>",
        CallKind.ValueTask => "global::Orleans.Runtime.Messaging.ValueTaskRequest",
        CallKind.ValueTaskWithResult => $"global::Orleans.Runtime.Messaging.ValueTaskRequest<{Result!.Full()}>",
        _ => $"global::Orleans.Runtime.Streaming.StreamRequest<{Result!.Full()}>",
    };

    public static MethodShape Of(IMethodSymbol method)
    {
        (CallKind kind, ITypeSymbol? result) = method.ReturnType.OriginalDefinition.ToDisplayString() switch
        {
            "void" => (CallKind.Void, (ITypeSymbol?)null),
            "System.Threading.Tasks.Task" => (CallKind.Task, null),
            "System.Threading.Tasks.ValueTask" => (CallKind.ValueTask, null),
            "System.Threading.Tasks.Task<TResult>" => (CallKind.TaskWithResult, ((INamedTypeSymbol)method.ReturnType).TypeArguments[0]),
            "System.Threading.Tasks.ValueTask<TResult>" => (CallKind.ValueTaskWithResult, ((INamedTypeSymbol)method.ReturnType).TypeArguments[0]),
            "System.Collections.Generic.IAsyncEnumerable<T>" or "System.Collections.Generic.IAsyncEnumerable<out T>" =>
                (CallKind.Stream, ((INamedTypeSymbol)method.ReturnType).TypeArguments[0]),
            _ => (CallKind.None, null),
        };
        return new MethodShape(kind, result, method.Parameters.Where(parameter => !IsToken(parameter.Type)).ToArray(),
            method.Parameters.Count(parameter => IsToken(parameter.Type)));
    }

    public static bool IsToken(ITypeSymbol type) => type.Is("System.Threading.CancellationToken");
}
