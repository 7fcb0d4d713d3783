using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace MmCluster.Embedded.Orleans.Generator;

/// <summary>Writes the codec of a type with [GenerateSerializer].</summary>
internal static class CodecEmitter
{
    private const string Serialization = "global::Orleans.Serialization.";

    public static void Emit(INamedTypeSymbol type, Output output)
    {
        if (!type.IsVisible())
        {
            output.Findings.Add(new Finding(Rules.NotVisible, type.Locations[0], type.Name));
            return;
        }
        string self = type.Full();
        if (type.TypeKind == TypeKind.Enum)
        {
            output.Manifest.Add($"builder.AddCodec(typeof({self}), {Symbols.Literal(type.WireName())}, static () => new {Serialization}Codecs.VarintCodec<{self}>());");
            return;
        }
        Member[] members = Members(type, output);
        string name = $"Codec_{type.Identifier()}";
        string parameters = type.TypeParameters.Length == 0 ? "" : $"<{string.Join(", ", type.TypeParameters.Select(parameter => parameter.Name))}>";
        StringBuilder text = new();
        text.Append($"namespace OrleansGenerated\n{{\n    internal sealed class {name}{parameters} : {Serialization}{(type.IsValueType ? "Struct" : "Object")}Codec<{self}>{type.Constraints()}\n    {{\n");
        text.Append($"        public override bool IsImmutable => {ImmutableExpression(type, members)};\n");
        if (type.IsValueType)
        {
            EmitStruct(text, self, members);
        }
        else
        {
            EmitClass(text, type, self, members);
        }
        foreach (Member member in members)
        {
            member.EmitAccessor(text, self, type.IsValueType);
        }
        text.Append("    }\n}\n");
        output.Source += text;
        string open = type.TypeParameters.Length == 0 ? "" : $"<{new string(',', type.TypeParameters.Length - 1)}>";
        output.Manifest.Add(type.TypeParameters.Length == 0
            ? $"builder.AddCodec(typeof({self}), {Symbols.Literal(type.WireName())}, static () => new global::OrleansGenerated.{name}());"
            : $"builder.AddGenericCodec(typeof({type.ConstructUnboundGenericType().Full()}), {Symbols.Literal(type.WireName())}, typeof(global::OrleansGenerated.{name}{open}));");
    }

    private static void EmitClass(StringBuilder text, INamedTypeSymbol type, string self, Member[] members)
    {
        bool canConstruct = !type.IsAbstract && !HasRequired(type)
            && type.InstanceConstructors.Any(constructor => constructor.Parameters.Length == 0 && constructor.IsVisible() && !constructor.Has("System.ObsoleteAttribute"));
        string create = type.IsAbstract ? $"throw new global::System.NotSupportedException(\"an abstract class has no objects of its own.\")"
            : canConstruct ? $"new {self}()"
            : $"({self})global::System.Runtime.CompilerServices.RuntimeHelpers.GetUninitializedObject(typeof({self}))";
        INamedTypeSymbol? @base = type.SerializableBase();
        bool isException = @base is null && type.DerivesFrom("System.Exception");
        string baseCodec = @base is null ? "" : $"(({Serialization}ObjectCodec<{@base.Full()}>){Serialization}Codecs<{@base.Full()}>.Instance)";
        text.Append($"        public override {self} Create() => {create};\n");
        text.Append($"        public override void WriteMembers({Serialization}MessageWriter writer, {self} value)\n        {{\n");
        if (@base is not null)
        {
            text.Append($"            {baseCodec}.WriteMembers(writer, value);\n            writer.WriteEndBase();\n");
        }
        else if (isException)
        {
            text.Append($"            {Serialization}Codecs.ExceptionFields.Write(writer, value);\n");
        }
        EmitWrites(text, members);
        text.Append($"        }}\n        public override void ReadMembers({Serialization}MessageReader reader, {self} value)\n        {{\n");
        if (@base is not null)
        {
            text.Append($"            {baseCodec}.ReadMembers(reader, value);\n");
        }
        else if (isException)
        {
            text.Append($"            {Serialization}Codecs.ExceptionFields.Read(reader, value);\n");
        }
        InterfaceEmitter.EmitReadLoop(text, members.Select(member => (member.WireId, member.Type.Full(), member.Assign("value", "{0}"))));
        text.Append($"        }}\n        public override void CopyMembers({self} from, {self} to, {Serialization}CopyContext context)\n        {{\n");
        if (@base is not null)
        {
            text.Append($"            {baseCodec}.CopyMembers(from, to, context);\n");
        }
        foreach (Member member in members)
        {
            text.Append($"            {member.Assign("to", member.CopyOf("from"))}\n");
        }
        text.Append("        }\n");
    }

    private static void EmitStruct(StringBuilder text, string self, Member[] members)
    {
        text.Append($"        public override void WriteMembers({Serialization}MessageWriter writer, in {self} value)\n        {{\n");
        EmitWrites(text, members);
        text.Append($"        }}\n        public override void ReadMembers({Serialization}MessageReader reader, ref {self} value)\n        {{\n");
        InterfaceEmitter.EmitReadLoop(text, members.Select(member => (member.WireId, member.Type.Full(), member.Assign("value", "{0}"))));
        text.Append($"        }}\n        public override void CopyMembers(ref {self} value, {Serialization}CopyContext context)\n        {{\n");
        foreach (Member member in members.Where(member => !member.IsImmutable))
        {
            text.Append($"            {member.Assign("value", member.CopyOf("value"))}\n");
        }
        text.Append("        }\n");
    }

    private static void EmitWrites(StringBuilder text, Member[] members)
    {
        foreach (Member member in members)
        {
            text.Append($"            {Serialization}Codecs<{member.Type.Full()}>.Instance.Write(writer, {member.WireId}u, {member.Get("value")});\n");
        }
    }

    private static string ImmutableExpression(INamedTypeSymbol type, Member[] members)
    {
        if (type.Has("Orleans.ImmutableAttribute") || type.DerivesFrom("System.Exception"))
        {
            return "true";
        }
        string[] open = [.. members.Where(member => !member.IsImmutable).Select(member => $"{Serialization}Codecs<{member.Type.Full()}>.IsImmutable")];
        return !type.IsValueType ? "false" : open.Length == 0 ? "true" : string.Join(" && ", open);
    }

    private static Member[] Members(INamedTypeSymbol type, Output output)
    {
        List<Member> members = [];
        AttributeData attribute = type.Attribute("Orleans.GenerateSerializerAttribute")!;
        bool includeParameters = attribute.NamedArguments.FirstOrDefault(argument => argument.Key == "IncludePrimaryConstructorParameters").Value.Value as bool?
            ?? type.IsRecord;
        foreach (ISymbol symbol in type.GetMembers().Where(symbol => !symbol.IsStatic && !symbol.IsImplicitlyDeclared || symbol is IPropertySymbol { IsStatic: false }))
        {
            if (symbol is not (IFieldSymbol { IsConst: false, AssociatedSymbol: null } or IPropertySymbol { IsIndexer: false }))
            {
                continue;
            }
            int parameter = symbol is IPropertySymbol && symbol.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax() is ParameterSyntax { Parent: ParameterListSyntax list } declared
                ? list.Parameters.IndexOf(declared) : -1;
            if (symbol.Attribute("Orleans.IdAttribute")?.ConstructorArguments[0].Value is uint id)
            {
                members.Add(new Member(type, symbol, id << 1));
            }
            else if (parameter >= 0 && includeParameters)
            {
                // Parameters are numbered by their place, apart from ids.
                members.Add(new Member(type, symbol, ((uint)parameter << 1) | 1));
            }
            else if (Member.IsStored(type, symbol) && !symbol.Has("System.NonSerializedAttribute") && !symbol.IsImplicitlyDeclared)
            {
                output.Findings.Add(new Finding(Rules.MissingId, symbol.Locations[0], symbol.Name, type.Name));
            }
        }
        foreach (IGrouping<uint, Member> same in members.GroupBy(member => member.WireId).Where(group => group.Count() > 1))
        {
            output.Findings.Add(new Finding(Rules.DuplicateId, same.Last().Location, same.First().Name, same.Last().Name, type.Name));
        }
        foreach (Member member in members)
        {
            Serializability.Check(member.Type, $"{type.Name}.{member.Name}", member.Location, output);
        }
        return [.. members.GroupBy(member => member.WireId).Select(group => group.First()).OrderBy(member => member.WireId)];
    }

    private static bool HasRequired(INamedTypeSymbol type)
    {
        for (INamedTypeSymbol? current = type; current is not null; current = current.BaseType)
        {
            if (current.GetMembers().Any(member => member is IPropertySymbol { IsRequired: true } or IFieldSymbol { IsRequired: true }))
            {
                return true;
            }
        }
        return false;
    }
}
