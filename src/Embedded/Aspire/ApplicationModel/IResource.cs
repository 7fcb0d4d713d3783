using System.Collections.ObjectModel;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A part of an application.</summary>
public interface IResource
{
    /// <summary>The name, unique in the application.</summary>
    string Name { get; }

    /// <summary>What has been said of the resource.</summary>
    ResourceAnnotationCollection Annotations { get; }
}

/// <summary>Something said of a resource.</summary>
public interface IResourceAnnotation
{
}

/// <summary>A resource with command line arguments.</summary>
public interface IResourceWithArgs : IResource
{
}

/// <summary>A resource with endpoints.</summary>
public interface IResourceWithEndpoints : IResource
{
}

/// <summary>A resource with environment variables.</summary>
public interface IResourceWithEnvironment : IResource
{
}

/// <summary>A resource whose start may wait for others.</summary>
public interface IResourceWithWaitSupport : IResource
{
}

/// <summary>What has been said of a resource, in order.</summary>
public sealed class ResourceAnnotationCollection : Collection<IResourceAnnotation>
{
    /// <summary>Creates an empty collection.</summary>
    public ResourceAnnotationCollection()
    {
    }
}

/// <summary>Describes one resource.</summary>
public interface IResourceBuilder<out T>
    where T : IResource
{
    /// <summary>The application that is being described.</summary>
    IDistributedApplicationBuilder ApplicationBuilder { get; }

    /// <summary>The resource.</summary>
    T Resource { get; }
}
