using Microsoft.CodeAnalysis;

namespace MmCluster.Embedded.Orleans.Generator;

/// <summary>Reports types of this compilation that are used in messages and have no serializer.</summary>
internal static class Serializability
{
    public static void Check(ITypeSymbol type, string user, Location? location, Output output)
    {
        switch (type)
        {
            case IArrayTypeSymbol array:
                Check(array.ElementType, user, location, output);
                return;
            case INamedTypeSymbol named:
                foreach (ITypeSymbol argument in named.TypeArguments)
                {
                    Check(argument, user, location, output);
                }
                if (!IsKnown(named))
                {
                    output.Findings.Add(new Finding(Rules.MissingGenerateSerializer, location, named.ToDisplayString(), user));
                }
                return;
            default:
                return;
        }
    }

    // Types from elsewhere are the business of whoever compiled them; interfaces and abstract classes of those who derive.
    private static bool IsKnown(INamedTypeSymbol type) =>
        !type.Locations.Any(place => place.IsInSource)
        || type.TypeKind is TypeKind.Interface or TypeKind.Enum or TypeKind.TypeParameter or TypeKind.Error
        || type.IsAbstract || type.IsTupleType
        || type.Has("Orleans.GenerateSerializerAttribute")
        || type.DerivesFrom("System.Exception") || type.IsImmutable()
        || HasConverter(type);

    private static bool HasConverter(INamedTypeSymbol type) => type.ContainingAssembly.GlobalNamespace is { } root && Any(root, type);

    private static bool Any(INamespaceOrTypeSymbol scope, INamedTypeSymbol value) => scope.GetMembers().OfType<INamespaceOrTypeSymbol>().Any(member =>
        (member is INamedTypeSymbol converter && converter.Has("Orleans.RegisterConverterAttribute")
            && converter.AllInterfaces.Any(face => face.Is("Orleans.IConverter<TValue, TSurrogate>")
                && SymbolEqualityComparer.Default.Equals(face.TypeArguments[0], value)))
        || Any(member, value));
}
