using System.Text;
using Microsoft.CodeAnalysis;

namespace MmCluster.Embedded.Orleans.Generator;

/// <summary>A serialized field or property, and how generated code reads and sets it.</summary>
internal sealed class Member
{
    private readonly bool _direct;
    private readonly bool _directSet;
    private readonly string _field;

    public Member(INamedTypeSymbol owner, ISymbol symbol, uint wireId)
    {
        Name = symbol.Name;
        WireId = wireId;
        Location = symbol.Locations.FirstOrDefault();
        IsStruct = owner.IsValueType;
        if (symbol is IFieldSymbol field)
        {
            Type = field.Type;
            _field = field.Name;
            _direct = field.IsVisible();
            _directSet = _direct && !field.IsReadOnly;
        }
        else
        {
            IPropertySymbol property = (IPropertySymbol)symbol;
            Type = property.Type;
            _field = $"<{property.Name}>k__BackingField";
            _direct = property.GetMethod is { } getter && getter.IsVisible();
            _directSet = property.SetMethod is { IsInitOnly: false } setter && setter.IsVisible();
            if (!IsStored(owner, symbol) && _direct)
            {
                _directSet = property.SetMethod is not null; // a property over a field of its own
            }
        }
        IsImmutable = Type.IsImmutable() || symbol.Has("Orleans.ImmutableAttribute");
    }

    public string Name { get; }

    public uint WireId { get; }

    public ITypeSymbol Type { get; }

    public Location? Location { get; }

    public bool IsImmutable { get; }

    private bool IsStruct { get; }

    private string Accessor => $"Member{WireId}";

    /// <summary>Whether the member holds a value itself: a field, or a property with a backing field.</summary>
    public static bool IsStored(INamedTypeSymbol owner, ISymbol symbol) => symbol is IFieldSymbol
        || owner.GetMembers().OfType<IFieldSymbol>().Any(field => SymbolEqualityComparer.Default.Equals(field.AssociatedSymbol, symbol));

    public string Get(string of) => _direct ? $"{of}.@{Name}"
        : IsStruct ? $"{Accessor}(ref global::System.Runtime.CompilerServices.Unsafe.AsRef(in {of}))" : $"{Accessor}({of})";

    public string Assign(string to, string value) => _directSet ? $"{to}.@{Name} = {value};" : $"{Accessor}({(IsStruct ? "ref " : "")}{to}) = {value};";

    public string CopyOf(string from) => IsImmutable ? Get(from)
        : $"global::Orleans.Serialization.Codecs<{Type.Full()}>.Copy({Get(from)}, context)";

    public void EmitAccessor(StringBuilder text, string owner, bool isStruct)
    {
        if (_direct && _directSet)
        {
            return;
        }
        text.Append($"        [global::System.Runtime.CompilerServices.UnsafeAccessor(global::System.Runtime.CompilerServices.UnsafeAccessorKind.Field, Name = {Symbols.Literal(_field)})]\n");
        text.Append($"        private static extern ref {Type.Full()} {Accessor}({(isStruct ? "ref " : "")}{owner} value);\n");
    }
}
