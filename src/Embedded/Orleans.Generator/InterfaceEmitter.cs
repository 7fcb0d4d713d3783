using System.Globalization;
using System.Text;
using Microsoft.CodeAnalysis;

namespace MmCluster.Embedded.Orleans.Generator;

/// <summary>Writes the proxy of a grain interface and one request class a method.</summary>
internal static class InterfaceEmitter
{
    private const string Messaging = "global::Orleans.Runtime.Messaging.";

    public static void Emit(INamedTypeSymbol type, Output output)
    {
        if (!type.IsVisible())
        {
            output.Findings.Add(new Finding(Rules.NotVisible, type.Locations.FirstOrDefault(), type.Name));
            return;
        }
        IMethodSymbol[] methods = Methods(type, output);
        string name = type.Identifier();
        StringBuilder requests = new();
        StringBuilder proxy = new();
        List<string> descriptors = [];
        for (int i = 0; i < methods.Length; i++)
        {
            if (MethodShape.Of(methods[i]) is not { } shape || !Check(methods[i], type, output))
            {
                continue;
            }
            string request = $"Call_{name}_{i}";
            EmitRequest(requests, type, methods[i], shape, request);
            EmitProxyMethod(proxy, methods[i], shape, request);
            descriptors.Add($"global::OrleansGenerated.{request}.Descriptor");
        }
        output.Source +=
            $$"""
            namespace OrleansGenerated
            {
                internal sealed class Proxy_{{name}} : global::Orleans.Runtime.GrainProxy, {{type.Full()}}
                {
                    public Proxy_{{name}}(global::Orleans.Runtime.ReferenceRuntime runtime, global::Orleans.Runtime.GrainId grainId)
                        : base(runtime, grainId)
                    {
                    }

                    internal override string InterfaceName => {{Symbols.Literal(type.WireName())}};

                    internal override global::System.Type InterfaceType => typeof({{type.Full()}});
            {{proxy}}    }
            {{requests}}}

            """;
        string list = string.Concat(descriptors.Select(descriptor => ", " + descriptor));
        output.Manifest.Add(
            $"builder.AddInterface(typeof({type.Full()}), {Symbols.Literal(type.WireName())}, static (runtime, id) => new global::OrleansGenerated.Proxy_{name}(runtime, id){list});");
    }

    // The interface's own methods and those of its bases, as a proxy must have all of them.
    private static IMethodSymbol[] Methods(INamedTypeSymbol type, Output output)
    {
        foreach (ISymbol member in type.GetMembers().Where(member => member is IPropertySymbol or IEventSymbol && member.IsAbstract))
        {
            output.Findings.Add(new Finding(Rules.Property, member.Locations[0], member.Name));
        }
        return type.AllInterfaces.Insert(0, type)
            .SelectMany(face => face.GetMembers().OfType<IMethodSymbol>())
            .Where(method => method is { MethodKind: MethodKind.Ordinary, IsAbstract: true, IsStatic: false })
            .ToArray();
    }

    private static bool Check(IMethodSymbol method, INamedTypeSymbol owner, Output output)
    {
        bool isOwn = SymbolEqualityComparer.Default.Equals(method.ContainingType, owner);
        void Report(DiagnosticDescriptor rule, params string[] arguments)
        {
            if (isOwn)
            {
                output.Findings.Add(new Finding(rule, method.Locations.FirstOrDefault(), arguments));
            }
        }
        MethodShape shape = MethodShape.Of(method)!;
        if (shape.Kind == CallKind.None || (shape.Kind == CallKind.Void && !owner.Implements("Orleans.IGrainObserver")))
        {
            Report(Rules.NotAsync, method.Name);
            return shape.Kind == CallKind.Void;
        }
        if (method.IsGenericMethod)
        {
            Report(Rules.Unsupported, method.Name, "generic grain methods are not supported");
            return false;
        }
        if (method.Parameters.Any(parameter => parameter.RefKind != RefKind.None))
        {
            Report(Rules.Unsupported, method.Name, "grain methods have no ref, in or out parameters");
            return false;
        }
        if (shape.Tokens > 1)
        {
            Report(Rules.SecondToken, method.Name);
            return false;
        }
        if (isOwn)
        {
            foreach (ITypeSymbol used in shape.Arguments.Select(argument => argument.Type).Concat(shape.Result is null ? [] : [shape.Result]))
            {
                Serializability.Check(used, $"{owner.Name}.{method.Name}", method.Locations.FirstOrDefault(), output);
            }
        }
        return true;
    }

    private static void EmitRequest(StringBuilder text, INamedTypeSymbol owner, IMethodSymbol method, MethodShape shape, string name)
    {
        string id = method.Alias() ?? $"{method.Name}({string.Join(",", method.Parameters.Select(parameter => parameter.Type.ToDisplayString()))})";
        text.Append($"\n    internal sealed class {name} : {shape.BaseClass}\n    {{\n");
        text.Append($"        public static readonly {Messaging}MethodDescriptor Descriptor = new({Symbols.Literal(owner.WireName())}, {Symbols.Literal(id)}, ({Messaging}MethodTraits){Traits(method, shape)}, {TimeoutTicks(method)}L, static () => new {name}());\n");
        foreach (IParameterSymbol argument in shape.Arguments)
        {
            text.Append($"        public {argument.Type.Full()} A{argument.Ordinal};\n");
        }
        text.Append($"        public override {Messaging}MethodDescriptor Method => Descriptor;\n");
        string values = string.Join(", ", method.Parameters.Select(parameter => MethodShape.IsToken(parameter.Type) ? "Token" : $"A{parameter.Ordinal}"));
        text.Append($"        protected override {method.ReturnType.Full()} Invoke(object target) => (({method.ContainingType.Full()})target).@{method.Name}({values});\n");
        text.Append("        public override void CopyArguments(global::Orleans.Serialization.CopyContext context)\n        {\n");
        foreach (IParameterSymbol argument in shape.Arguments.Where(argument => !argument.Type.IsImmutable() && !argument.Has("Orleans.ImmutableAttribute")))
        {
            text.Append($"            A{argument.Ordinal} = global::Orleans.Serialization.Codecs<{argument.Type.Full()}>.Copy(A{argument.Ordinal}, context);\n");
        }
        string prefix = shape.Kind == CallKind.Stream ? "protected override void WriteMethod" : "public override void Write";
        text.Append($"        }}\n        {prefix}Arguments(global::Orleans.Serialization.MessageWriter writer)\n        {{\n");
        foreach (IParameterSymbol argument in shape.Arguments)
        {
            text.Append($"            global::Orleans.Serialization.Codecs<{argument.Type.Full()}>.Instance.Write(writer, {argument.Ordinal}u, A{argument.Ordinal});\n");
        }
        prefix = shape.Kind == CallKind.Stream ? "protected override void ReadMethod" : "public override void Read";
        text.Append($"            writer.WriteEnd();\n        }}\n        {prefix}Arguments(global::Orleans.Serialization.MessageReader reader)\n        {{\n");
        EmitReadLoop(text, shape.Arguments.Select(argument => ((uint)argument.Ordinal, argument.Type.Full(), $"A{argument.Ordinal} = {{0}};")));
        text.Append("        }\n    }\n");
    }

    /// <summary>The loop over fields up to an end, with one case a field.</summary>
    public static void EmitReadLoop(StringBuilder text, IEnumerable<(uint Id, string Type, string Assignment)> fields)
    {
        text.Append("            for (global::Orleans.Serialization.WireType wire; (wire = reader.ReadHeader(out uint id)) != global::Orleans.Serialization.WireType.End;)\n");
        text.Append("            {\n                switch (id)\n                {\n");
        foreach ((uint id, string type, string assignment) in fields)
        {
            string read = $"global::Orleans.Serialization.Codecs<{type}>.Instance.Read(reader, wire)";
            text.Append($"                    case {id}u:\n                        {assignment.Replace("{0}", read)}\n                        break;\n");
        }
        text.Append("                    default:\n                        reader.Skip(wire);\n                        break;\n                }\n            }\n");
    }

    private static void EmitProxyMethod(StringBuilder text, IMethodSymbol method, MethodShape shape, string request)
    {
        string parameters = string.Join(", ", method.Parameters.Select(parameter => $"{parameter.Type.Full()} p{parameter.Ordinal}"));
        string token = method.Parameters.FirstOrDefault(parameter => MethodShape.IsToken(parameter.Type)) is { } found ? $"p{found.Ordinal}" : "default";
        string values = string.Join(", ", shape.Arguments.Select(argument => $"A{argument.Ordinal} = p{argument.Ordinal}"));
        string call = shape.Kind == CallKind.Stream
            ? $"Call<{shape.Result!.Full()}>(() => new {request} {{ {values} }}, {token})"
            : $"Call(new {request} {{ {values} }}, {token})";
        text.Append($"\n        {method.ReturnType.Full()} {method.ContainingType.Full()}.@{method.Name}({parameters}) => {call};\n");
    }

    private static int Traits(IMethodSymbol method, MethodShape shape)
    {
        int traits = 0;
        traits |= method.Has("Orleans.Concurrency.OneWayAttribute") || shape.Kind == CallKind.Void ? 1 : 0;
        traits |= method.Has("Orleans.Concurrency.ReadOnlyAttribute") ? 2 : 0;
        // The original's enumerations interleave with everything.
        traits |= method.Has("Orleans.Concurrency.AlwaysInterleaveAttribute") || shape.Kind == CallKind.Stream ? 4 : 0;
        traits |= shape.Tokens == 1 && shape.Kind != CallKind.Stream ? 8 : 0;
        traits |= shape.Arguments.All(argument => argument.Type.IsImmutable() || argument.Has("Orleans.ImmutableAttribute")) ? 16 : 0;
        traits |= method.GetReturnTypeAttributes().Any(attribute => attribute.AttributeClass?.ToDisplayString() == "Orleans.ImmutableAttribute") ? 32 : 0;
        return traits;
    }

    private static string TimeoutTicks(IMethodSymbol method)
    {
        AttributeData? attribute = method.Attribute("Orleans.ResponseTimeoutAttribute");
        return attribute?.ConstructorArguments.FirstOrDefault().Value is string text && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out TimeSpan timeout)
            ? timeout.Ticks.ToString(CultureInfo.InvariantCulture) : "0";
    }
}
