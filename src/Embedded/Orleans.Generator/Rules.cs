using Microsoft.CodeAnalysis;

namespace MmCluster.Embedded.Orleans.Generator;

/// <summary>What the generator and the analyzer report. ORLEANS numbers are those of the original's rules.</summary>
internal static class Rules
{
    public static readonly DiagnosticDescriptor MissingId = Make(
        "ORLEANS0004", "A member has no [Id]", "'{0}' of '{1}' has no [Id]: give it one, or [NonSerialized]");

    public static readonly DiagnosticDescriptor MissingGenerateSerializer = Make(
        "ORLEANS0005", "A type has no [GenerateSerializer]", "'{0}', used by '{1}', cannot be serialized: give it [GenerateSerializer]");

    public static readonly DiagnosticDescriptor Property = Make(
        "ORLEANS0008", "Grain interfaces have no properties or events", "'{0}' is a property or event of a grain interface");

    public static readonly DiagnosticDescriptor NotAsync = Make(
        "ORLEANS0009", "Grain methods are asynchronous", "'{0}' must return Task, Task<T>, ValueTask, ValueTask<T> or IAsyncEnumerable<T>");

    public static readonly DiagnosticDescriptor DuplicateId = Make(
        "ORLEANS0012", "Two members have one [Id]", "'{0}' and '{1}' of '{2}' have the same [Id]");

    public static readonly DiagnosticDescriptor SecondToken = Make(
        "ORLEANS0109", "A grain method has one CancellationToken at most", "'{0}' has several CancellationToken parameters");

    public static readonly DiagnosticDescriptor Internal = Make(
        "MM0001", "Only the originals' API may be used", "'{0}' is internal to the stand-in: code that uses it does not compile with -p:UsePackages=true");

    public static readonly DiagnosticDescriptor Unsupported = Make(
        "MM0002", "The stand-in does not support this", "'{0}': {1}");

    public static readonly DiagnosticDescriptor NotVisible = Make(
        "MM0003", "Generated code must see the type", "'{0}' must be internal or public, as must the types around it");

    public static readonly DiagnosticDescriptor NotAFriend = Make(
        "MM0004", "The assembly is no friend of the stand-in", "add '{0}' to InternalsVisibleTo of MmCluster.Embedded.Orleans, since it has grains or messages");

    private static DiagnosticDescriptor Make(string id, string title, string message) =>
        new(id, title, message, "Orleans", DiagnosticSeverity.Error, isEnabledByDefault: true);
}
