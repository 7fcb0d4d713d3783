using System.Reflection;
using Orleans.Runtime;
using Orleans.Runtime.Messaging;

namespace Orleans.Serialization;

/// <summary>Names the generated manifest of an assembly.</summary>
[AttributeUsage(AttributeTargets.Assembly)]
internal sealed class AssemblyManifestAttribute(Type type) : Attribute
{
    public Type Type { get; } = type;
}

/// <summary>What the source generator found in an assembly.</summary>
internal abstract class AssemblyManifest
{
    public abstract void Register(ManifestBuilder builder);
}

/// <summary>A generated codec: of a type, or of a generic type definition.</summary>
internal sealed record CodecEntry(Type Type, string Name, Type? CodecDefinition, Func<Codec>? Create);

/// <summary>A generated proxy with the methods of its interface.</summary>
internal sealed record InterfaceEntry(
    Type Interface, string Name, Func<ReferenceRuntime, GrainId, GrainReference> CreateReference, MethodDescriptor[] Methods)
{
    public uint Id { get; } = Runtime.Internal.StableHash.Compute(Name);
}

/// <summary>A registered converter of a foreign type.</summary>
internal sealed record ConverterEntry(Type Value, Func<Codec>? Create, Type? CodecDefinition);

/// <summary>Collects what the manifests of the loaded assemblies hold.</summary>
internal sealed class ManifestBuilder
{
    public List<CodecEntry> Codecs { get; } = [];

    public List<ConverterEntry> Converters { get; } = [];

    public List<InterfaceEntry> Interfaces { get; } = [];

    public List<Type> GrainClasses { get; } = [];

    public void AddCodec(Type type, string name, Func<Codec> create) => Codecs.Add(new CodecEntry(type, name, null, create));

    public void AddGenericCodec(Type type, string name, Type codecDefinition) => Codecs.Add(new CodecEntry(type, name, codecDefinition, null));

    public void AddConverter<TValue, TSurrogate>(Func<IConverter<TValue, TSurrogate>> create)
        where TSurrogate : struct =>
        Converters.Add(new ConverterEntry(typeof(TValue), () => new Orleans.Serialization.Codecs.SurrogateCodec<TValue, TSurrogate>(create()), null));

    public void AddInterface(Type type, string name, Func<ReferenceRuntime, GrainId, GrainReference> createReference, params MethodDescriptor[] methods) =>
        Interfaces.Add(new InterfaceEntry(type, name, createReference, methods));

    public void AddGrain(Type type) => GrainClasses.Add(type);
}

/// <summary>The manifests of all assemblies that this process can see from its entry assembly or has loaded.</summary>
internal static class Manifests
{
    public static ManifestBuilder Collect()
    {
        ManifestBuilder builder = new();
        HashSet<Assembly> seen = [];
        Queue<Assembly> left = new(AppDomain.CurrentDomain.GetAssemblies());
        if (Assembly.GetEntryAssembly() is { } entry)
        {
            left.Enqueue(entry);
        }
        while (left.TryDequeue(out Assembly? assembly))
        {
            if (assembly.IsDynamic || IsFramework(assembly.GetName()) || !seen.Add(assembly))
            {
                continue;
            }
            if (assembly.GetCustomAttribute<AssemblyManifestAttribute>() is { } attribute)
            {
                ((AssemblyManifest)Activator.CreateInstance(attribute.Type, nonPublic: true)!).Register(builder);
            }
            foreach (AssemblyName reference in assembly.GetReferencedAssemblies())
            {
                if (!IsFramework(reference) && TryLoad(reference) is { } loaded)
                {
                    left.Enqueue(loaded);
                }
            }
        }
        return builder;
    }

    private static bool IsFramework(AssemblyName name) =>
        name.Name is null or "netstandard" or "mscorlib"
        || name.Name.StartsWith("System.", StringComparison.Ordinal)
        || name.Name.StartsWith("Microsoft.", StringComparison.Ordinal);

    private static Assembly? TryLoad(AssemblyName name)
    {
        try
        {
            return Assembly.Load(name);
        }
        catch (Exception error) when (error is FileNotFoundException or FileLoadException or BadImageFormatException)
        {
            return null; // an optional reference that was not deployed holds no messages that could arrive
        }
    }
}
