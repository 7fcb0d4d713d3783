using System.Text;
using Microsoft.CodeAnalysis;

namespace MmCluster.Embedded.Orleans.Generator;

/// <summary>Questions about symbols that several emitters ask.</summary>
internal static class Symbols
{
    private static readonly HashSet<string> ImmutableTypes = new(StringComparer.Ordinal)
    {
        "System.Guid", "System.TimeSpan", "System.DateTimeOffset", "System.DateOnly", "System.TimeOnly", "System.Uri", "System.Version", "System.Half",
        "System.Int128", "System.UInt128", "System.Numerics.BigInteger", "System.Threading.CancellationToken", "Orleans.Runtime.GrainId", "Orleans.Runtime.GrainType",
        "Orleans.Runtime.IdSpan", "Orleans.Runtime.SiloAddress", "Orleans.Runtime.ActivationId", "Orleans.Runtime.MembershipVersion",
    };

    public static string Full(this ITypeSymbol type) => type.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat);

    /// <summary>Namespace, containing types and name, without type arguments; as reflection writes it but with '+' for '.' between nested types.</summary>
    public static string MetadataName(this INamedTypeSymbol type)
    {
        string name = type.MetadataName;
        for (INamedTypeSymbol? outer = type.ContainingType; outer is not null; outer = outer.ContainingType)
        {
            name = outer.MetadataName + "+" + name;
        }
        return type.ContainingNamespace.IsGlobalNamespace ? name : type.ContainingNamespace.ToDisplayString() + "." + name;
    }

    public static string WireName(this INamedTypeSymbol type) => type.Alias() ?? type.MetadataName();

    public static string Identifier(this INamedTypeSymbol type)
    {
        StringBuilder text = new();
        foreach (char c in type.MetadataName())
        {
            text.Append(char.IsLetterOrDigit(c) ? c : '_');
        }
        return text.ToString();
    }

    public static AttributeData? Attribute(this ISymbol symbol, string name) =>
        symbol.GetAttributes().FirstOrDefault(attribute => attribute.AttributeClass?.ToDisplayString() == name);

    public static bool Has(this ISymbol symbol, string attribute) => symbol.Attribute(attribute) is not null;

    public static string? Alias(this ISymbol symbol) => symbol.Attribute("Orleans.AliasAttribute")?.ConstructorArguments[0].Value as string;

    public static bool Is(this ITypeSymbol? type, string name) => type?.OriginalDefinition.ToDisplayString() == name;

    public static bool Implements(this ITypeSymbol type, string interfaceName) => type.AllInterfaces.Any(face => face.Is(interfaceName));

    public static bool DerivesFrom(this ITypeSymbol type, string baseName)
    {
        for (ITypeSymbol? current = type; current is not null; current = current.BaseType)
        {
            if (current.Is(baseName))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Whether code of the same assembly, outside of the type, may use it.</summary>
    public static bool IsVisible(this ISymbol symbol)
    {
        for (ISymbol? current = symbol; current is not null and not INamespaceSymbol; current = current.ContainingSymbol)
        {
            if (current.DeclaredAccessibility is Accessibility.Private or Accessibility.Protected or Accessibility.ProtectedAndInternal)
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>Whether values of the type can never change, as far as its declaration tells.</summary>
    public static bool IsImmutable(this ITypeSymbol type)
    {
        if (type.TypeKind == TypeKind.Enum || type.Has("Orleans.ImmutableAttribute"))
        {
            return true;
        }
        switch (type.SpecialType)
        {
            case SpecialType.System_String or SpecialType.System_DateTime or SpecialType.System_Decimal:
            case >= SpecialType.System_Boolean and <= SpecialType.System_Double:
                return true;
            default:
                break;
        }
        if (type is INamedTypeSymbol { TypeArguments.Length: 1 } generic
            && generic.OriginalDefinition.ToDisplayString() is "T?" or "System.Nullable<T>" or "System.Collections.Immutable.ImmutableArray<T>")
        {
            return ((INamedTypeSymbol)type).TypeArguments[0].IsImmutable();
        }
        return ImmutableTypes.Contains(type.WithNullableAnnotation(NullableAnnotation.None).ToDisplayString());
    }

    /// <summary>The nearest base class with [GenerateSerializer].</summary>
    public static INamedTypeSymbol? SerializableBase(this INamedTypeSymbol type)
    {
        for (INamedTypeSymbol? current = type.BaseType; current is not null; current = current.BaseType)
        {
            if (current.Has("Orleans.GenerateSerializerAttribute"))
            {
                return current;
            }
        }
        return null;
    }

    public static string Literal(string text) => "\"" + text.Replace("\\", "\\\\").Replace("\"", "\\\"") + "\"";

    /// <summary>The where clauses that repeat the constraints of the type's parameters.</summary>
    public static string Constraints(this INamedTypeSymbol type)
    {
        StringBuilder text = new();
        foreach (ITypeParameterSymbol parameter in type.TypeParameters)
        {
            List<string> parts = [];
            if (parameter.HasUnmanagedTypeConstraint)
            {
                parts.Add("unmanaged");
            }
            else if (parameter.HasValueTypeConstraint)
            {
                parts.Add("struct");
            }
            else if (parameter.HasReferenceTypeConstraint)
            {
                parts.Add("class");
            }
            else if (parameter.HasNotNullConstraint)
            {
                parts.Add("notnull");
            }
            parts.AddRange(parameter.ConstraintTypes.Select(constraint => constraint.Full()));
            if (parameter.HasConstructorConstraint)
            {
                parts.Add("new()");
            }
            if (parts.Count > 0)
            {
                text.Append(" where ").Append(parameter.Name).Append(" : ").Append(string.Join(", ", parts));
            }
        }
        return text.ToString();
    }
}
