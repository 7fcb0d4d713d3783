using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Internal;

internal sealed record ProjectAnnotation(string Path) : IResourceAnnotation;

internal sealed record ReplicaAnnotation(int Count) : IResourceAnnotation;

internal sealed record ArgumentAnnotation(object Value) : IResourceAnnotation;

internal sealed record EnvironmentAnnotation(Func<EnvironmentCallbackContext, Task> Callback) : IResourceAnnotation;

/// <summary>A wait for a resource to be up, or to have exited with a code.</summary>
internal sealed record WaitAnnotation(IResource For, int? ExitCode) : IResourceAnnotation;

internal sealed record HealthAnnotation(string Path, int Status, string? Endpoint) : IResourceAnnotation;

internal static class AnnotationExtensions
{
    public static IEnumerable<T> All<T>(this IResource resource)
        where T : IResourceAnnotation => resource.Annotations.OfType<T>();

    /// <summary>Replaces what was said before.</summary>
    public static void Set<T>(this IResource resource, T annotation)
        where T : IResourceAnnotation
    {
        foreach (T old in resource.All<T>().ToArray())
        {
            resource.Annotations.Remove(old);
        }
        resource.Annotations.Add(annotation);
    }

    public static int Replicas(this IResource resource) => resource.All<ReplicaAnnotation>().FirstOrDefault()?.Count ?? 1;
}

internal static class ServiceVariables
{
    /// <summary>The variables by which service discovery, and programs without it, find an endpoint.</summary>
    public static void Add(EnvironmentCallbackContext context, EndpointReference endpoint)
    {
        string name = endpoint.Resource.Name;
        context.EnvironmentVariables[$"services__{name}__{endpoint.EndpointName}__0"] = endpoint;
        context.EnvironmentVariables[$"{name}_{endpoint.EndpointName}".Replace('-', '_').ToUpperInvariant()] = endpoint;
    }
}
