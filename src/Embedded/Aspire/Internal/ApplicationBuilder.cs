using System.Reflection;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Internal;

internal sealed class ApplicationBuilder : IDistributedApplicationBuilder
{
    private readonly HostApplicationBuilder _host;
    private readonly List<IResource> _resources = [];

    public ApplicationBuilder(DistributedApplicationOptions options)
    {
        AppHostDirectory = Path.GetFullPath(options.ProjectDirectory ?? ProjectFolder());
        _host = new HostApplicationBuilder(new HostApplicationBuilderSettings { Args = options.Args, ContentRootPath = AppHostDirectory });
        _host.Logging.SetMinimumLevel(LogLevel.Warning);
        _host.Services.Configure<ConsoleLifetimeOptions>(lifetime => lifetime.SuppressStatusMessages = true);
        // The children get their grace period inside the host's own.
        _host.Services.Configure<HostOptions>(host => host.ShutdownTimeout = Orchestrator.Grace * 3);
        _host.Services.AddSingleton(TimeProvider.System);
        _host.Services.AddSingleton<IReadOnlyList<IResource>>(_resources);
        _host.Services.AddSingleton<LogConsole>();
        _host.Services.AddSingleton<Orchestrator>();
        _host.Services.AddHostedService(services => services.GetRequiredService<Orchestrator>());
        if (!options.DisableDashboard)
        {
            _host.Services.AddHostedService<StatusPage>();
        }
    }

    public string AppHostDirectory { get; }

    public ConfigurationManager Configuration => _host.Configuration;

    public IHostEnvironment Environment => _host.Environment;

    public IServiceCollection Services => _host.Services;

    public IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource
    {
        if (_resources.FirstOrDefault(other => string.Equals(other.Name, resource.Name, StringComparison.OrdinalIgnoreCase)) is { } same)
        {
            throw new InvalidOperationException($"Cannot add resource of type '{typeof(T)}' with name '{resource.Name}' because resource of type " +
                $"'{same.GetType()}' with that name already exists. Resource names are case-insensitive.");
        }
        _resources.Add(resource);
        return CreateResourceBuilder(resource);
    }

    public IResourceBuilder<T> CreateResourceBuilder<T>(T resource)
        where T : IResource => new ResourceBuilder<T>(this, resource);

    public DistributedApplication Build() => new(_host.Build());

    // As the original: the build writes the project's folder into the app host, since it may be started from anywhere.
    private static string ProjectFolder()
    {
        string? built = Assembly.GetEntryAssembly()?.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(entry => entry.Key == "apphostprojectpath")?.Value;
        return Directory.Exists(built) ? built : Directory.GetCurrentDirectory();
    }

    private sealed record ResourceBuilder<T>(IDistributedApplicationBuilder ApplicationBuilder, T Resource) : IResourceBuilder<T>
        where T : IResource;
}
