using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Runtime;

namespace Orleans.Hosting
{
    /// <summary>Configures a silo.</summary>
    public interface ISiloBuilder
    {
        /// <summary>The host's services.</summary>
        IServiceCollection Services { get; }

        /// <summary>The host's configuration.</summary>
        IConfiguration Configuration { get; }
    }

    /// <summary>Configures a client.</summary>
    public interface IClientBuilder
    {
        /// <summary>The host's services.</summary>
        IServiceCollection Services { get; }

        /// <summary>The host's configuration.</summary>
        IConfiguration Configuration { get; }
    }

    internal sealed record SiloBuilder(IServiceCollection Services, IConfiguration Configuration) : ISiloBuilder;

    internal sealed record ClientBuilder(IServiceCollection Services, IConfiguration Configuration) : IClientBuilder;

    /// <summary>Services and options of a silo.</summary>
    public static class SiloBuilderExtensions
    {
        /// <summary>Adds services.</summary>
        public static ISiloBuilder ConfigureServices(this ISiloBuilder builder, Action<IServiceCollection> configureDelegate)
        {
            configureDelegate(builder.Services);
            return builder;
        }

        /// <summary>Sets options.</summary>
        public static ISiloBuilder Configure<TOptions>(this ISiloBuilder builder, Action<TOptions> configureOptions)
            where TOptions : class
        {
            builder.Services.Configure(configureOptions);
            return builder;
        }

        /// <summary>Reads options from the configuration.</summary>
        public static ISiloBuilder Configure<TOptions>(this ISiloBuilder builder, IConfiguration configuration)
            where TOptions : class
        {
            builder.Services.Configure<TOptions>(configuration);
            return builder;
        }

        /// <summary>Sets up logs.</summary>
        public static ISiloBuilder ConfigureLogging(this ISiloBuilder builder, Action<ILoggingBuilder> configureLogging)
        {
            builder.Services.AddLogging(configureLogging);
            return builder;
        }
    }

    /// <summary>Services and options of a client.</summary>
    public static class ClientBuilderExtensions
    {
        /// <summary>Adds services.</summary>
        public static IClientBuilder ConfigureServices(this IClientBuilder builder, Action<IServiceCollection> configureDelegate)
        {
            configureDelegate(builder.Services);
            return builder;
        }

        /// <summary>Sets options.</summary>
        public static IClientBuilder Configure<TOptions>(this IClientBuilder builder, Action<TOptions> configureOptions)
            where TOptions : class
        {
            builder.Services.Configure(configureOptions);
            return builder;
        }

        /// <summary>Reads options from the configuration.</summary>
        public static IClientBuilder Configure<TOptions>(this IClientBuilder builder, IConfiguration configuration)
            where TOptions : class
        {
            builder.Services.Configure<TOptions>(configuration);
            return builder;
        }

        /// <summary>Decides after a failed first connection whether to try again; without it, the host's start fails.</summary>
        public static IClientBuilder UseConnectionRetryFilter(
            this IClientBuilder builder, Func<Exception, CancellationToken, Task<bool>> connectionRetryFilter)
        {
            builder.Services.AddSingleton(new ConnectionRetry(connectionRetryFilter));
            return builder;
        }

        /// <summary>Finds the silo whose gateway listens on loopback at <paramref name="gatewayPort"/>.</summary>
        public static IClientBuilder UseLocalhostClustering(
            this IClientBuilder builder, int gatewayPort = EndpointOptions.DEFAULT_GATEWAY_PORT, string serviceId = "dev", string clusterId = "dev")
        {
            builder.Configure<ClusterOptions>(options =>
            {
                options.ServiceId = serviceId;
                options.ClusterId = clusterId;
            });
            return builder.UseStaticClustering(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, gatewayPort));
        }

        /// <summary>Finds silos by the addresses of their gateways.</summary>
        public static IClientBuilder UseStaticClustering(this IClientBuilder builder, params System.Net.IPEndPoint[] endpoints)
        {
            builder.Services.AddSingleton<Orleans.Messaging.IGatewayListProvider>(new Orleans.Runtime.Client.StaticGateways(endpoints));
            return builder;
        }
    }

    internal sealed record ConnectionRetry(Func<Exception, CancellationToken, Task<bool>> ShouldRetry);

    /// <summary>Tasks that run when a silo has become active.</summary>
    public static class SiloBuilderStartupExtensions
    {
        /// <summary>Runs a task made by the host's services.</summary>
        public static ISiloBuilder AddStartupTask<TStartup>(this ISiloBuilder builder, int stage = StartupTaskEntry.Active)
            where TStartup : class, IStartupTask
        {
            builder.Services.AddSingleton(new StartupTaskEntry(stage, static (services, stop) => ActivatorUtilities.GetServiceOrCreateInstance<TStartup>(services).Execute(stop)));
            return builder;
        }

        /// <summary>Runs a task.</summary>
        public static ISiloBuilder AddStartupTask(this ISiloBuilder builder, IStartupTask startupTask, int stage = StartupTaskEntry.Active)
        {
            builder.Services.AddSingleton(new StartupTaskEntry(stage, (_, stop) => startupTask.Execute(stop)));
            return builder;
        }

        /// <summary>Runs a function.</summary>
        public static ISiloBuilder AddStartupTask(
            this ISiloBuilder builder, Func<IServiceProvider, CancellationToken, Task> startupTask, int stage = StartupTaskEntry.Active)
        {
            builder.Services.AddSingleton(new StartupTaskEntry(stage, startupTask));
            return builder;
        }
    }

    internal sealed record StartupTaskEntry(int Stage, Func<IServiceProvider, CancellationToken, Task> Run)
    {
        public const int Active = 20000;
    }
}

namespace Orleans.Runtime
{
    /// <summary>Runs when a silo has become active.</summary>
    public interface IStartupTask
    {
        /// <summary>Runs; an exception fails the host's start.</summary>
        Task Execute(CancellationToken cancellationToken);
    }
}
