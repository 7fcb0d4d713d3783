using System.Collections.Concurrent;
using Orleans.Runtime.Messaging;
using Orleans.Serialization;

namespace Orleans.Runtime;

/// <summary>The grain interfaces of this process by type, name and number. Filled from code alone.</summary>
internal static class Interfaces
{
    private static readonly Lazy<Tables> All = new(static () => new Tables(CodecRegistry.Manifest));

    public static InterfaceEntry Of(Type type) => All.Value.ByType.TryGetValue(type, out InterfaceEntry? entry) ? entry
        : throw new ArgumentException($"{type} is no grain interface that the generator has seen.");

    public static InterfaceEntry? Find(string name) => All.Value.ByName.GetValueOrDefault(name);

    /// <summary>The method with these numbers, or null.</summary>
    public static MethodDescriptor? FindMethod(uint interfaceId, uint methodId) =>
        All.Value.Methods.GetValueOrDefault(((ulong)interfaceId << 32) | methodId);

    private sealed class Tables
    {
        public Tables(ManifestBuilder manifest)
        {
            foreach (InterfaceEntry entry in manifest.Interfaces)
            {
                ByType.Add(entry.Interface, entry);
                ByName.Add(entry.Name, entry);
                foreach (MethodDescriptor method in entry.Methods)
                {
                    Add(method);
                }
            }
            Add(Streaming.MoveNextRequest.Descriptor);
            Add(Streaming.DisposeRequest.Descriptor);
        }

        public Dictionary<Type, InterfaceEntry> ByType { get; } = [];

        public Dictionary<string, InterfaceEntry> ByName { get; } = [];

        public Dictionary<ulong, MethodDescriptor> Methods { get; } = [];

        private void Add(MethodDescriptor method)
        {
            if (!Methods.TryAdd(((ulong)method.InterfaceId << 32) | method.MethodId, method))
            {
                throw new InvalidOperationException($"{method} has the number of another method: give it an [Alias].");
            }
        }
    }
}

/// <summary>Makes references that are bound to one host.</summary>
internal sealed class ReferenceFactory(ReferenceRuntime runtime)
{
    private readonly ConcurrentDictionary<(Type, SiloAddress), GrainReference> _services = new();

    public GrainReference Create(GrainId id, Type interfaceType) => Interfaces.Of(interfaceType).CreateReference(runtime, id);

    public GrainReference Create(GrainId id, string interfaceName) =>
        (Interfaces.Find(interfaceName) ?? throw new InvalidDataException($"no interface here is named '{interfaceName}'")).CreateReference(runtime, id);

    /// <summary>A service of the runtime on <paramref name="silo"/>.</summary>
    public T Service<T>(SiloAddress silo)
        where T : class, IAddressable =>
        (T)(object)_services.GetOrAdd((typeof(T), silo), static (key, runtime) =>
        {
            InterfaceEntry entry = Interfaces.Of(key.Item1);
            GrainReference reference = entry.CreateReference(runtime, SystemTargets.IdOf(entry.Name));
            reference.FixedSilo = key.Item2;
            return reference;
        }, runtime);
}

/// <summary>Ids of the runtime's services and of observers; no grain class can have such a type.</summary>
internal static class SystemTargets
{
    public static readonly GrainType ServiceType = GrainType.Create("sys.svc");
    public static readonly GrainType ObserverType = GrainType.Create("sys.client");

    public static GrainId IdOf(string interfaceName) => new(ServiceType, IdSpan.Create(interfaceName));

    public static GrainId ObserverId(Guid client, Guid observer) => new(ObserverType, IdSpan.Create($"{client:N}+{observer:N}"));

    /// <summary>The client that <paramref name="observer"/> belongs to.</summary>
    public static bool TryGetClient(GrainId observer, out Guid client)
    {
        ReadOnlySpan<byte> key = observer.Key.AsSpan();
        client = default;
        return observer.Type == ObserverType && key.Length > 32
            && System.Buffers.Text.Utf8Parser.TryParse(key[..32], out client, out int used, 'N') && used == 32;
    }
}
