using System.Reflection;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Finds what generated code says of a service's implementation.</summary>
internal static class ServiceMethods
{
    /// <summary>Has generated code tell <paramref name="binder"/> the methods of a service.</summary>
    public static void Bind(Type service, ServiceBinderBase binder)
    {
        for (Type? type = service; type is not null; type = type.BaseType)
        {
            if (type.GetCustomAttribute<BindServiceMethodAttribute>(inherit: false) is not { } attribute)
            {
                continue;
            }
            MethodInfo bind = attribute.BindType.GetMethod(
                attribute.BindMethodName, BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static, [typeof(ServiceBinderBase), type])
                ?? throw new InvalidOperationException($"Could not find bind method for {service.Name}.");
            bind.Invoke(null, [binder, null]);
            return;
        }
        throw new InvalidOperationException($"Error binding gRPC service '{service.Name}': it derives from no generated base class.");
    }

    /// <summary>The implementation's method, as a delegate that takes the service first.</summary>
    public static TDelegate Open<TService, TDelegate>(string name, params Type[] parameters)
        where TDelegate : Delegate
    {
        MethodInfo method = Find(typeof(TService), name, parameters)
            ?? throw new InvalidOperationException($"Could not find '{name}' on {typeof(TService)}.");
        return method.CreateDelegate<TDelegate>();
    }

    public static MethodInfo? Find(Type service, string name, Type[] parameters) =>
        service.GetMethod(name, BindingFlags.Public | BindingFlags.Instance, parameters);
}

/// <summary>Gives each call its service: from the services when registered there, made anew otherwise.</summary>
internal static class ServiceActivator<TService>
    where TService : class
{
    private static readonly Lazy<ObjectFactory<TService>> Factory = new(() => ActivatorUtilities.CreateFactory<TService>([]));

    public static TService Get(HttpContext http)
    {
        if (http.RequestServices.GetService<TService>() is { } shared)
        {
            return shared;
        }
        TService made = Factory.Value(http.RequestServices, []);
        Disposal.AtEnd(http, made);
        return made;
    }
}

/// <summary>Disposes what was made for a call with the call.</summary>
internal static class Disposal
{
    public static void AtEnd(HttpContext http, object made)
    {
        if (made is IAsyncDisposable asyncDisposable)
        {
            http.Response.RegisterForDisposeAsync(asyncDisposable);
        }
        else if (made is IDisposable disposable)
        {
            http.Response.RegisterForDispose(disposable);
        }
    }
}
