using System.Globalization;
using Orleans.Metadata;
using Orleans.Runtime;

namespace Orleans
{
    /// <summary>Names a grain class; without it the name is the class name without "Grain", in lower case.</summary>
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public sealed class GrainTypeAttribute : Attribute, IGrainTypeProviderAttribute
    {
        private readonly string _grainType;

        /// <summary>Names the class <paramref name="grainType"/>.</summary>
        public GrainTypeAttribute(string grainType) => _grainType = grainType;

        /// <summary>The name of <paramref name="type"/>.</summary>
        public GrainType GetGrainType(IServiceProvider services, Type type) => GrainType.Create(_grainType);
    }

    /// <summary>Activations of the grain are never collected for being idle.</summary>
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public class KeepAliveAttribute : Attribute, IGrainPropertiesProviderAttribute
    {
        /// <summary>Marks the grain class.</summary>
        public KeepAliveAttribute()
        {
        }

        /// <summary>Writes what the attribute says into the grain type's properties.</summary>
        public void Populate(IServiceProvider services, Type grainClass, GrainType grainType, Dictionary<string, string> properties) =>
            properties[GrainPropertyNames.IdleDuration] = "-1";
    }

    /// <summary>How long an activation may be idle before it is collected.</summary>
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public class CollectionAgeLimitAttribute : Attribute, IGrainPropertiesProviderAttribute
    {
        /// <summary>The least age limit: one minute.</summary>
        public static readonly TimeSpan MinAgeLimit = TimeSpan.FromMinutes(1);

        private readonly TimeSpan? _inactivityPeriod;

        /// <summary>Uses <see cref="Days"/>, <see cref="Hours"/> and <see cref="Minutes"/>.</summary>
        public CollectionAgeLimitAttribute()
        {
        }

        /// <summary>Uses <paramref name="inactivityPeriod"/>, written as a <see cref="TimeSpan"/>.</summary>
        public CollectionAgeLimitAttribute(string inactivityPeriod) =>
            _inactivityPeriod = TimeSpan.Parse(inactivityPeriod, CultureInfo.InvariantCulture);

        /// <summary>Days to add to the limit.</summary>
        public double Days { get; set; }

        /// <summary>Hours to add to the limit.</summary>
        public double Hours { get; set; }

        /// <summary>Minutes to add to the limit.</summary>
        public double Minutes { get; set; }

        /// <summary>Whether the activation is never collected.</summary>
        public bool AlwaysActive { get; set; }

        /// <summary>The limit, at least <see cref="MinAgeLimit"/>.</summary>
        public TimeSpan AgeLimit
        {
            get
            {
                TimeSpan limit = _inactivityPeriod
                    ?? TimeSpan.FromDays(Days) + TimeSpan.FromHours(Hours) + TimeSpan.FromMinutes(Minutes);
                return AlwaysActive ? Timeout.InfiniteTimeSpan : limit < MinAgeLimit ? MinAgeLimit : limit;
            }
        }

        /// <summary>Writes what the attribute says into the grain type's properties.</summary>
        public void Populate(IServiceProvider services, Type grainClass, GrainType grainType, Dictionary<string, string> properties) =>
            properties[GrainPropertyNames.IdleDuration] =
                AlwaysActive ? "-1" : AgeLimit.ToString("c", CultureInfo.InvariantCulture);
    }
}

namespace Orleans.Metadata
{
    /// <summary>An attribute of a grain class that says something about the grain type.</summary>
    public interface IGrainPropertiesProviderAttribute
    {
        internal void Populate(IServiceProvider services, Type grainClass, GrainType grainType, Dictionary<string, string> properties);
    }

    /// <summary>An attribute that names a grain class.</summary>
    public interface IGrainTypeProviderAttribute
    {
        internal GrainType GetGrainType(IServiceProvider services, Type type);
    }

    /// <summary>What the attributes of a grain class say, as names and values.</summary>
    public sealed class GrainProperties
    {
        internal GrainProperties(IReadOnlyDictionary<string, string> values) => Values = values;

        internal IReadOnlyDictionary<string, string> Values { get; }
    }

    internal static class GrainPropertyNames
    {
        public const string Reentrant = "reentrant";
        public const string IdleDuration = "idle-duration";
        public const string Immovable = "immovable-kind";
        public const string PlacementStrategy = "placement-strategy";
        public const string PlacementFilter = "placement-filter";
        public const string MaxLocalWorkers = "max-local-workers";
    }
}
