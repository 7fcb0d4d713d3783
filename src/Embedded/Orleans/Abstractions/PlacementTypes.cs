using System.Globalization;
using Orleans.Metadata;
using Orleans.Runtime.Placement;

namespace Orleans.Runtime
{
    /// <summary>
    /// What an <see cref="IPlacementDirector"/> is registered for. The director gets an object made with the constructor
    /// without parameters, not the attribute's own.
    /// </summary>
    public abstract class PlacementStrategy
    {
        /// <summary>Called by derived classes.</summary>
        protected PlacementStrategy()
        {
        }

        /// <summary>Whether activations are registered, so that there is one in the cluster.</summary>
        public virtual bool IsUsingGrainDirectory => true;

        /// <summary>Reads what <see cref="PopulateGrainProperties"/> wrote.</summary>
        public virtual void Initialize(GrainProperties properties)
        {
        }

        /// <summary>Writes the strategy into the grain type's properties.</summary>
        public virtual void PopulateGrainProperties(IServiceProvider services, Type grainClass, GrainType grainType, Dictionary<string, string> properties) =>
            properties[GrainPropertyNames.PlacementStrategy] = GetType().Name;
    }
}

namespace Orleans.Placement
{
    /// <summary>
    /// What an <see cref="IPlacementFilterDirector"/> is registered for. The director gets an object made with the constructor
    /// without parameters, not the attribute's own: settings go through the grain type's properties, out by
    /// <see cref="GetAdditionalGrainProperties"/> and in by <see cref="AdditionalInitialize"/>.
    /// </summary>
    public abstract class PlacementFilterStrategy
    {
        private const string OrderKey = "order";

        /// <summary>A filter at place <paramref name="order"/>; the least comes first.</summary>
        protected PlacementFilterStrategy(int order) => Order = order;

        /// <summary>The place among the filters of the grain.</summary>
        public int Order { get; private set; }

        /// <summary>Reads what <see cref="PopulateGrainProperties"/> wrote.</summary>
        public void Initialize(GrainProperties properties)
        {
            Order = int.TryParse(GetPlacementFilterGrainProperty(OrderKey, properties), CultureInfo.InvariantCulture, out int order) ? order
                : throw new ArgumentException("Invalid order property value.", nameof(properties));
            AdditionalInitialize(properties);
        }

        /// <summary>Reads what <see cref="GetAdditionalGrainProperties"/> gave.</summary>
        public virtual void AdditionalInitialize(GrainProperties properties)
        {
        }

        /// <summary>Writes the filter into the grain type's properties.</summary>
        public void PopulateGrainProperties(
            IServiceProvider services, Type grainClass, Orleans.Runtime.GrainType grainType, Dictionary<string, string> properties)
        {
            string name = GetType().Name;
            properties[GrainPropertyNames.PlacementFilter] =
                properties.TryGetValue(GrainPropertyNames.PlacementFilter, out string? others) ? $"{others},{name}" : name;
            properties[$"{name}.{OrderKey}"] = Order.ToString(CultureInfo.InvariantCulture);
            foreach (KeyValuePair<string, string> property in GetAdditionalGrainProperties(services, grainClass, grainType, properties))
            {
                properties[$"{name}.{property.Key}"] = property.Value;
            }
        }

        /// <summary>The property <paramref name="key"/> of this filter, or null.</summary>
        protected string? GetPlacementFilterGrainProperty(string key, GrainProperties properties) =>
            properties.Values.GetValueOrDefault($"{GetType().Name}.{key}");

        /// <summary>More properties that a derived class needs.</summary>
        protected virtual IEnumerable<KeyValuePair<string, string>> GetAdditionalGrainProperties(
            IServiceProvider services, Type grainClass, Orleans.Runtime.GrainType grainType, IReadOnlyDictionary<string, string> existingProperties) => [];
    }

    /// <summary>Leaves out silos before a placement director chooses.</summary>
    public interface IPlacementFilterDirector
    {
        /// <summary>The silos that remain of <paramref name="silos"/>.</summary>
        IEnumerable<Orleans.Runtime.SiloAddress> Filter(
            PlacementFilterStrategy filterStrategy, PlacementTarget target, IEnumerable<Orleans.Runtime.SiloAddress> silos);
    }
}

namespace Orleans.Runtime.Placement
{
    /// <summary>The grain to place and the call that asks for it.</summary>
    public readonly struct PlacementTarget
    {
        /// <summary>A grain, and what the call carries.</summary>
        public PlacementTarget(GrainId grainIdentity, Dictionary<string, object>? requestContextData, GrainInterfaceType interfaceType, ushort interfaceVersion)
        {
            GrainIdentity = grainIdentity;
            InterfaceType = interfaceType;
            InterfaceVersion = interfaceVersion;
            RequestContextData = requestContextData;
        }

        /// <summary>The grain.</summary>
        public GrainId GrainIdentity { get; }

        /// <summary>The interface of the call.</summary>
        public GrainInterfaceType InterfaceType { get; }

        /// <summary>Its version; always 0 here.</summary>
        public ushort InterfaceVersion { get; }

        /// <summary>The call's request context, or null.</summary>
        public Dictionary<string, object>? RequestContextData { get; }
    }

    /// <summary>What a director knows of the cluster.</summary>
    public interface IPlacementContext
    {
        /// <summary>The silo that places.</summary>
        SiloAddress LocalSilo { get; }

        /// <summary>Its status.</summary>
        SiloStatus LocalSiloStatus { get; }

        /// <summary>The active silos that have the grain's class, after its filters.</summary>
        SiloAddress[] GetCompatibleSilos(PlacementTarget target);
    }

    /// <summary>Chooses the silo of a new activation.</summary>
    public interface IPlacementDirector
    {
        /// <summary>The key of <see cref="RequestContext"/> that names the silo a caller wants.</summary>
        const string PlacementHintKey = nameof(PlacementHintKey);

        /// <summary>The silo for <paramref name="target"/>; an exception fails the call.</summary>
        Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context);

        /// <summary>The silo that the caller wants, where it is among <paramref name="compatibleSilos"/>; otherwise null.</summary>
        static SiloAddress? GetPlacementHint(Dictionary<string, object>? requestContextData, SiloAddress[] compatibleSilos) =>
            requestContextData is not null
            && requestContextData.TryGetValue(PlacementHintKey, out object? value)
            && value is SiloAddress hint
            && compatibleSilos.Contains(hint) ? hint : null;
    }
}
