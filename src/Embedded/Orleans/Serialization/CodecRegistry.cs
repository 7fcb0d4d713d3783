using System.Collections.Concurrent;
using System.Reflection;
using Orleans.Runtime;
using Orleans.Serialization.Codecs;

namespace Orleans.Serialization;

/// <summary>All codecs of this process: built in, generated, and made from both. Filled from code alone, so it may be static.</summary>
internal static class CodecRegistry
{
    private static readonly ConcurrentDictionary<Type, Codec> Cache = new();
    private static readonly Lazy<Known> All = new(static () => new Known(Manifests.Collect()));

    /// <summary>Everything that the generator found in the assemblies of this process.</summary>
    public static ManifestBuilder Manifest => All.Value.Manifest;

    public static Codec Of(Type type) => Cache.GetOrAdd(type, static type => Resolve(type));

    /// <summary>The codec of a type that a message names, which must fit where it is used.</summary>
    public static Codec Of(Type type, Type usedAs) =>
        usedAs.IsAssignableFrom(type) ? Of(type) : throw new InvalidDataException($"{type} is no {usedAs}");

    public static Codec Resolve(Type type) => Cache.TryGetValue(type, out Codec? codec) ? codec : Make(type);

    public static string SimpleNameOf(Type type) =>
        All.Value.Names.TryGetValue(type, out string? name) ? name : type.FullName ?? type.Name;

    public static Type? TypeBySimpleName(string name)
    {
        if (All.Value.Types.TryGetValue(name, out Type? type))
        {
            return type;
        }
        if (name.Length == 0 || !name.All(letter => char.IsLetterOrDigit(letter) || letter is '_' or '.' or '+' or '`'))
        {
            return null;
        }
        // Errors and enums carry no data that could do harm, so those that are loaded need no registration.
        foreach (Assembly assembly in AppDomain.CurrentDomain.GetAssemblies())
        {
            if (assembly.GetType(name, throwOnError: false) is { } found && (typeof(Exception).IsAssignableFrom(found) || found.IsEnum))
            {
                return found;
            }
        }
        return null;
    }

    private static Codec Make(Type type)
    {
        Known known = All.Value;
        if (known.Exact.TryGetValue(type, out Func<Codec>? create))
        {
            return create();
        }
        if (typeof(System.Net.IPAddress).IsAssignableFrom(type))
        {
            return Of(typeof(System.Net.IPAddress)); // loopback is of a class of its own
        }
        if (type.IsEnum)
        {
            return Create(typeof(VarintCodec<>), type);
        }
        if (type.IsSZArray)
        {
            Type element = type.GetElementType()!;
            return Create(Builtin.IsBlock(element) ? typeof(BlockArrayCodec<>) : typeof(ArrayCodec<>), element);
        }
        if (type.IsConstructedGenericType)
        {
            Type definition = type.GetGenericTypeDefinition();
            Type[] arguments = type.GetGenericArguments();
            if (known.Generic.TryGetValue(definition, out Type? codec))
            {
                return Create(codec, arguments);
            }
            if (Builtin.Frozen(definition, arguments) is { } frozen)
            {
                return frozen;
            }
        }
        if (typeof(IAddressable).IsAssignableFrom(type))
        {
            return Create(typeof(GrainReferenceCodec<>), type);
        }
        if (typeof(Exception).IsAssignableFrom(type) && !type.IsAbstract)
        {
            return Create(typeof(ExceptionCodec<>), type);
        }
        if (type.IsInterface || type.IsAbstract || type == typeof(object))
        {
            return Create(typeof(PolymorphicCodec<>), type);
        }
        if (type.Name.StartsWith("<>z__", StringComparison.Ordinal)
            && type.GetInterfaces().FirstOrDefault(face => face.IsGenericType && face.GetGenericTypeDefinition() == typeof(IEnumerable<>)) is { } sequence)
        {
            return Create(typeof(SynthesizedCodec<,>), type, sequence.GetGenericArguments()[0]);
        }
        return Create(typeof(MissingCodec<>), type);
    }

    private static Codec Create(Type definition, params Type[] arguments) =>
        (Codec)Activator.CreateInstance(definition.MakeGenericType(arguments))!;

    private sealed class Known
    {
        public Known(ManifestBuilder manifest)
        {
            Manifest = manifest;
            Builtin.AddTo(Exact, Generic);
            foreach (Type type in Exact.Keys.Concat(Generic.Keys).Concat(Builtin.FrozenDefinitions))
            {
                Name(type, type.FullName!);
            }
            Name(typeof(object), typeof(object).FullName!);
            foreach (CodecEntry entry in manifest.Codecs)
            {
                Name(entry.Type, entry.Name);
                if (entry.CodecDefinition is not null)
                {
                    Generic[entry.Type] = entry.CodecDefinition;
                }
                else
                {
                    Exact[entry.Type] = entry.Create!;
                }
            }
            foreach (ConverterEntry entry in manifest.Converters)
            {
                Name(entry.Value, entry.Value.FullName!);
                Exact[entry.Value] = entry.Create!;
            }
            foreach (InterfaceEntry entry in manifest.Interfaces)
            {
                Name(entry.Interface, entry.Name);
            }
        }

        public ManifestBuilder Manifest { get; }

        public Dictionary<Type, Func<Codec>> Exact { get; } = [];

        public Dictionary<Type, Type> Generic { get; } = [];

        public Dictionary<Type, string> Names { get; } = [];

        public Dictionary<string, Type> Types { get; } = new(StringComparer.Ordinal);

        private void Name(Type type, string name)
        {
            if (Types.TryGetValue(name, out Type? other) && other != type)
            {
                throw new InvalidOperationException($"{type} and {other} have the same name on the wire, '{name}': give one another [Alias].");
            }
            Names[type] = name;
            Types[name] = type;
        }
    }
}

/// <summary>Stands for a type that nobody can serialize; says so when it is used.</summary>
internal sealed class MissingCodec<T> : Codec<T>
{
    public override void Write(MessageWriter writer, uint fieldId, T value) => throw Missing();

    public override T Read(MessageReader reader, WireType wire) => throw Missing();

    public override T Copy(T value, CopyContext context) => throw Missing();

    private static NotSupportedException Missing() =>
        new($"{typeof(T)} cannot be serialized: give it [GenerateSerializer] and its members [Id], or register a converter.");
}
