using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting;

/// <summary>Describes an application: its resources, configuration and the app host's own services.</summary>
public interface IDistributedApplicationBuilder
{
    /// <summary>The folder that relative paths start from.</summary>
    string AppHostDirectory { get; }

    /// <summary>The app host's configuration.</summary>
    ConfigurationManager Configuration { get; }

    /// <summary>The app host's environment.</summary>
    IHostEnvironment Environment { get; }

    /// <summary>The app host's services.</summary>
    IServiceCollection Services { get; }

    /// <summary>Adds a resource; its name must be new, whatever its case.</summary>
    IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource;

    /// <summary>The application as described so far.</summary>
    DistributedApplication Build();

    /// <summary>A builder of a resource, which need not be part of the application.</summary>
    IResourceBuilder<T> CreateResourceBuilder<T>(T resource)
        where T : IResource;
}

/// <summary>A resource that others find by name.</summary>
public interface IResourceWithServiceDiscovery : IResourceWithEndpoints
{
}
