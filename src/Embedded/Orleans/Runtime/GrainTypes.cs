using System.Globalization;
using System.Reflection;
using Orleans.Metadata;
using Orleans.Placement;
using Orleans.Runtime.Placement;
using Orleans.Serialization;

namespace Orleans.Runtime;

/// <summary>A grain class and what its attributes say. The silo that places makes the strategy anew from the properties.</summary>
internal sealed record GrainClass(Type Class, GrainType Type, GrainProperties Properties, PlacementStrategy Placement)
{
    public bool IsReentrant { get; } = Properties.Values.ContainsKey(GrainPropertyNames.Reentrant);

    public bool UsesDirectory { get; } = Placement.IsUsingGrainDirectory;

    /// <summary>How long it may be idle; infinite for always, null for the silo's default.</summary>
    public TimeSpan? IdleAge { get; } = Properties.Values.GetValueOrDefault(GrainPropertyNames.IdleDuration) switch
    {
        null => null,
        "-1" => Timeout.InfiniteTimeSpan,
        string age => TimeSpan.Parse(age, CultureInfo.InvariantCulture),
    };

    public bool Implements(Type interfaceType) => interfaceType.IsAssignableFrom(Class);
}

/// <summary>The grain classes of this process.</summary>
internal sealed class GrainTypes
{
    private readonly Dictionary<GrainType, GrainClass> _byType = [];
    private readonly System.Collections.Concurrent.ConcurrentDictionary<(Type, string?), GrainType> _byInterface = new();

    public GrainTypes(IServiceProvider services)
    {
        foreach (Type type in CodecRegistry.Manifest.GrainClasses)
        {
            Attribute[] attributes = [.. type.GetCustomAttributes(inherit: true).Cast<Attribute>()];
            GrainType name = attributes.OfType<IGrainTypeProviderAttribute>().FirstOrDefault()?.GetGrainType(services, type)
                ?? GrainType.Create(DefaultName(type));
            Dictionary<string, string> properties = [];
            foreach (IGrainPropertiesProviderAttribute attribute in attributes.OfType<IGrainPropertiesProviderAttribute>())
            {
                attribute.Populate(services, type, name, properties);
            }
            PlacementStrategy strategy = attributes.OfType<PlacementAttribute>().FirstOrDefault()?.PlacementStrategy ?? ResourceOptimizedPlacement.Singleton;
            if (!_byType.TryAdd(name, new GrainClass(type, name, new GrainProperties(properties), strategy)))
            {
                throw new InvalidOperationException($"{type} and {_byType[name].Class} are both named '{name}': give one a [GrainType].");
            }
        }
    }

    public IEnumerable<GrainClass> All => _byType.Values;

    public GrainClass? Find(GrainType type) => _byType.GetValueOrDefault(type);

    /// <summary>The class that implements <paramref name="interfaceType"/>.</summary>
    /// <exception cref="ArgumentException">None does, or several do and <paramref name="prefix"/> chooses none.</exception>
    public GrainType Resolve(Type interfaceType, string? prefix) =>
        _byInterface.GetOrAdd((interfaceType, prefix), static (key, self) => self.Choose(key.Item1, key.Item2), this);

    private GrainType Choose(Type interfaceType, string? prefix)
    {
        GrainClass[] candidates = [.. All.Where(grain => grain.Implements(interfaceType)
            && (prefix is null || grain.Class.FullName!.StartsWith(prefix, StringComparison.Ordinal)
                || grain.Class.Name.StartsWith(prefix, StringComparison.Ordinal)
                || grain.Type.ToString().StartsWith(prefix, StringComparison.Ordinal)))];
        if (candidates.Length > 1)
        {
            GrainClass[] namesake = [.. candidates.Where(grain => interfaceType.Name == $"I{grain.Class.Name}")];
            candidates = namesake.Length == 1 ? namesake : candidates;
        }
        return candidates.Length switch
        {
            1 => candidates[0].Type,
            0 => throw new ArgumentException($"Could not find an implementation for interface {interfaceType}"),
            _ => throw new ArgumentException(
                $"Unable to identify a single appropriate grain type for interface {interfaceType}. Candidates: "
                + string.Join(", ", candidates.Select(candidate => $"{candidate.Type} ({candidate.Class})"))),
        };
    }

    private static string DefaultName(MemberInfo type)
    {
        string name = type.Name.ToLowerInvariant();
        return name.EndsWith("grain", StringComparison.Ordinal) && name.Length > 5 ? name[..^5] : name;
    }
}
