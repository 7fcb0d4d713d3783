using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Internal;

namespace Aspire.Hosting;

/// <summary>Adds .NET projects to an application.</summary>
public static class ProjectResourceBuilderExtensions
{
    /// <summary>Adds a project by its .csproj, relative to the app host's folder. It is built once, before anything starts.</summary>
    public static IResourceBuilder<ProjectResource> AddProject(this IDistributedApplicationBuilder builder, string name, string projectPath) =>
        builder.AddProject(name, projectPath, launchProfileName: null);

    /// <summary>Adds a project by its .csproj. Launch profiles are not read: null says so in the original, too.</summary>
    public static IResourceBuilder<ProjectResource> AddProject(
        this IDistributedApplicationBuilder builder, string name, string projectPath, string? launchProfileName)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(projectPath);
        if (launchProfileName is not null)
        {
            throw new NotSupportedException($"{name}: launch profile '{launchProfileName}': profiles are not read here; say endpoints and environment in code");
        }
        var resource = new ProjectResource(name);
        resource.Annotations.Add(new ProjectAnnotation(Path.GetFullPath(projectPath, builder.AppHostDirectory)));
        return builder.AddResource(resource);
    }

    /// <summary>Runs a project in several processes. Its proxied endpoints keep one address, whose connections are dealt out in turn.</summary>
    public static IResourceBuilder<ProjectResource> WithReplicas(this IResourceBuilder<ProjectResource> builder, int replicas)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentOutOfRangeException.ThrowIfLessThan(replicas, 1);
        builder.Resource.Set(new ReplicaAnnotation(replicas));
        return builder;
    }
}
