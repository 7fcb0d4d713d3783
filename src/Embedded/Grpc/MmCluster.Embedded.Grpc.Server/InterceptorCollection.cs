using System.Collections.ObjectModel;
using System.Diagnostics.CodeAnalysis;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.DependencyInjection;

namespace Grpc.AspNetCore.Server;

/// <summary>The interceptors of a server or a service, outermost first.</summary>
public class InterceptorCollection : Collection<InterceptorRegistration>
{
    /// <summary>Creates an empty collection.</summary>
    public InterceptorCollection()
    {
    }

    /// <summary>Adds an interceptor by its type.</summary>
    public void Add<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TInterceptor>(params object[] args)
        where TInterceptor : Interceptor => Add(typeof(TInterceptor), args);

    /// <summary>Adds an interceptor by its type.</summary>
    public void Add([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] Type interceptorType, params object[] args)
    {
        ArgumentNullException.ThrowIfNull(interceptorType);
        if (!interceptorType.IsSubclassOf(typeof(Interceptor)))
        {
            throw new ArgumentException($"Type must inherit from {typeof(Interceptor).FullName}.", nameof(interceptorType));
        }
        ArgumentNullException.ThrowIfNull(args);
        // An argument chooses its parameter by its type, which a null does not have.
        if (args.Contains(null))
        {
            throw new ArgumentException("Null arguments are not allowed for interceptors.", nameof(args));
        }
        Add(new InterceptorRegistration(interceptorType, args));
    }
}

/// <summary>One interceptor: taken from the services when registered there, made anew for each call otherwise.</summary>
public class InterceptorRegistration
{
    private readonly Type _type;
    private readonly object[] _arguments;
    private ObjectFactory? _factory;

    internal InterceptorRegistration(Type type, object[] arguments)
    {
        _type = type;
        _arguments = arguments;
    }

    /// <summary>The interceptor and whether it was made for this call.</summary>
    internal (Interceptor Interceptor, bool Made) Get(IServiceProvider services)
    {
        if (_arguments.Length == 0 && services.GetService(_type) is Interceptor shared)
        {
            return (shared, false);
        }
        _factory ??= ActivatorUtilities.CreateFactory(_type, [.. _arguments.Select(argument => argument.GetType())]);
        return ((Interceptor)_factory(services, _arguments), true);
    }
}
