using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Internal;

namespace Aspire.Hosting;

/// <summary>Describes resources: arguments, environment, endpoints, references, waits and health.</summary>
public static class ResourceBuilderExtensions
{
    private const string Http = "http";

    /// <summary>Appends arguments.</summary>
    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, params string[] args)
        where T : IResourceWithArgs
    {
        ArgumentNullException.ThrowIfNull(args);
        return builder.WithArgs((object[])args);
    }

    /// <summary>Appends arguments: text, or values such as endpoints that are asked for at the start.</summary>
    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, params object[] args)
        where T : IResourceWithArgs
    {
        ArgumentNullException.ThrowIfNull(args);
        foreach (object arg in args)
        {
            builder.With(new ArgumentAnnotation(arg));
        }
        return builder;
    }

    /// <summary>Sets a variable; null is the empty text.</summary>
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, string? value)
        where T : IResourceWithEnvironment => builder.WithEnvironment(context => context.EnvironmentVariables[name] = value ?? "");

    /// <summary>Sets a variable to what a function returns at the start.</summary>
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, Func<string> callback)
        where T : IResourceWithEnvironment => builder.WithEnvironment(context => context.EnvironmentVariables[name] = callback());

    /// <summary>Sets a variable to an endpoint's address.</summary>
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, EndpointReference endpointReference)
        where T : IResourceWithEnvironment => builder.WithEnvironment(context => context.EnvironmentVariables[name] = endpointReference);

    /// <summary>Lets a function set variables at the start.</summary>
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, Action<EnvironmentCallbackContext> callback)
        where T : IResourceWithEnvironment
    {
        ArgumentNullException.ThrowIfNull(callback);
        return builder.WithEnvironment(context =>
        {
            callback(context);
            return Task.CompletedTask;
        });
    }

    /// <summary>Lets a function set variables at the start.</summary>
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, Func<EnvironmentCallbackContext, Task> callback)
        where T : IResourceWithEnvironment
    {
        ArgumentNullException.ThrowIfNull(callback);
        return builder.With(new EnvironmentAnnotation(callback));
    }

    /// <summary>
    /// Adds an endpoint on localhost. A port that is not given is chosen at the start. <paramref name="env"/> names the
    /// variable that tells the process the port to listen on; a project hears of http endpoints by ASPNETCORE_URLS.
    /// </summary>
    public static IResourceBuilder<T> WithEndpoint<T>(
        this IResourceBuilder<T> builder,
        int? port = null,
        int? targetPort = null,
        string? scheme = null,
        string? name = null,
        string? env = null,
        bool? isProxied = null,
        bool? isExternal = null,
        System.Net.Sockets.ProtocolType? protocol = null)
        where T : IResourceWithEndpoints
    {
        if (protocol is not (null or System.Net.Sockets.ProtocolType.Tcp))
        {
            throw new NotSupportedException($"{builder.Resource.Name}: an endpoint is TCP here, not {protocol}");
        }
        if (isExternal == true)
        {
            throw new NotSupportedException($"{builder.Resource.Name}: endpoints are on the loopback address only here");
        }
        string endpoint = name ?? scheme ?? "tcp";
        if (builder.Resource.All<EndpointAnnotation>().Any(other => string.Equals(other.Name, endpoint, StringComparison.OrdinalIgnoreCase)))
        {
            throw new InvalidOperationException($"Endpoint with name '{endpoint}' already exists. Endpoint name may not have been explicitly specified.");
        }
        return builder.With(new EndpointAnnotation(endpoint, scheme ?? "tcp", Checked(port), Checked(targetPort), env, isProxied ?? true));
    }

    /// <summary>Adds an http endpoint, called "http" unless named. See WithEndpoint.</summary>
    public static IResourceBuilder<T> WithHttpEndpoint<T>(
        this IResourceBuilder<T> builder,
        int? port = null,
        int? targetPort = null,
        string? name = null,
        string? env = null,
        bool? isProxied = null)
        where T : IResourceWithEndpoints => builder.WithEndpoint(port, targetPort, Http, name, env, isProxied, null, null);

    /// <summary>An endpoint by its name, which may be added later.</summary>
    public static EndpointReference GetEndpoint<T>(this IResourceBuilder<T> builder, string name)
        where T : IResourceWithEndpoints
    {
        ArgumentNullException.ThrowIfNull(builder);
        return new EndpointReference(builder.Resource, name);
    }

    /// <summary>Tells a resource another's endpoints: <c>services__name__endpoint__0</c> and <c>NAME_ENDPOINT</c>.</summary>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(
        this IResourceBuilder<TDestination> builder, IResourceBuilder<IResourceWithServiceDiscovery> source)
        where TDestination : IResourceWithEnvironment
    {
        ArgumentNullException.ThrowIfNull(source);
        return builder.WithEnvironment(context =>
        {
            foreach (EndpointAnnotation endpoint in source.Resource.All<EndpointAnnotation>())
            {
                ServiceVariables.Add(context, new EndpointReference(source.Resource, endpoint));
            }
        });
    }

    /// <summary>Tells a resource one endpoint of another.</summary>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(
        this IResourceBuilder<TDestination> builder, EndpointReference endpointReference)
        where TDestination : IResourceWithEnvironment
    {
        ArgumentNullException.ThrowIfNull(endpointReference);
        return builder.WithEnvironment(context => ServiceVariables.Add(context, endpointReference));
    }

    /// <summary>Tells a resource an address outside the application: <c>services__name__default__0</c>.</summary>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(this IResourceBuilder<TDestination> builder, string name, Uri uri)
        where TDestination : IResourceWithEnvironment
    {
        ArgumentNullException.ThrowIfNull(uri);
        if (!uri.IsAbsoluteUri || uri.AbsolutePath != "/")
        {
            throw new InvalidOperationException($"The uri for service reference '{name}' must be absolute and without a path.");
        }
        return builder.WithEnvironment($"services__{name}__default__0", uri.ToString());
    }

    /// <summary>Starts a resource when another runs and, if it has health checks, is healthy.</summary>
    public static IResourceBuilder<T> WaitFor<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency)
        where T : IResourceWithWaitSupport
    {
        ArgumentNullException.ThrowIfNull(dependency);
        return builder.With(new WaitAnnotation(dependency.Resource, ExitCode: null));
    }

    /// <summary>Starts a resource when another has exited with a code.</summary>
    public static IResourceBuilder<T> WaitForCompletion<T>(
        this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency, int exitCode = 0)
        where T : IResourceWithWaitSupport
    {
        ArgumentNullException.ThrowIfNull(dependency);
        return builder.With(new WaitAnnotation(dependency.Resource, exitCode));
    }

    /// <summary>Calls a resource healthy when a GET of a path answers with a status, 200 unless given.</summary>
    public static IResourceBuilder<T> WithHttpHealthCheck<T>(
        this IResourceBuilder<T> builder, string? path = null, int? statusCode = null, string? endpointName = null)
        where T : IResourceWithEndpoints => builder.With(new HealthAnnotation(path ?? "/", statusCode ?? 200, endpointName));

    private static int? Checked(int? port) =>
        port is null or (> 0 and < 65536) ? port : throw new ArgumentOutOfRangeException(nameof(port), port, "a port is 1 to 65535");

    private static IResourceBuilder<T> With<T>(this IResourceBuilder<T> builder, IResourceAnnotation annotation)
        where T : IResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Resource.Annotations.Add(annotation);
        return builder;
    }
}
