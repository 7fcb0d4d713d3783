using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;

namespace Orleans.Runtime.Catalog;

/// <summary>Makes grain objects; the constructor is looked up once a class.</summary>
internal sealed class GrainFactories
{
    private readonly ConcurrentDictionary<Type, ObjectFactory> _factories = new();

    public object Create(ActivationData activation)
    {
        ObjectFactory factory = _factories.GetOrAdd(activation.GrainClass.Class, static type => ActivatorUtilities.CreateFactory(type, Type.EmptyTypes));
        RuntimeContext.Creating = activation;
        try
        {
            return factory(activation.ActivationServices, null);
        }
        finally
        {
            RuntimeContext.Creating = null;
        }
    }
}
