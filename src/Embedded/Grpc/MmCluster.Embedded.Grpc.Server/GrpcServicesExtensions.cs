using Grpc.AspNetCore.Server;
using Grpc.AspNetCore.Server.Internal;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Grpc.AspNetCore.Server
{
    using Microsoft.Extensions.DependencyInjection;

    /// <summary>Configures the gRPC server.</summary>
    public interface IGrpcServerBuilder
    {
        /// <summary>The services being configured.</summary>
        IServiceCollection Services { get; }
    }
}

namespace Microsoft.Extensions.DependencyInjection
{
    /// <summary>Adds the gRPC server to services.</summary>
    public static class GrpcServicesExtensions
    {
        /// <summary>Sets the options of one service.</summary>
        public static IGrpcServerBuilder AddServiceOptions<TService>(
            this IGrpcServerBuilder grpcBuilder, Action<GrpcServiceOptions<TService>> configure)
            where TService : class
        {
            ArgumentNullException.ThrowIfNull(grpcBuilder);
            grpcBuilder.Services.Configure(configure);
            return grpcBuilder;
        }

        /// <summary>Adds the gRPC server.</summary>
        public static IGrpcServerBuilder AddGrpc(this IServiceCollection services)
        {
            ArgumentNullException.ThrowIfNull(services);
            services.AddRouting();
            services.AddOptions();
            services.TryAddSingleton<UnknownEndpoints>();
            return new Builder(services);
        }

        /// <summary>Adds the gRPC server with options of all services.</summary>
        public static IGrpcServerBuilder AddGrpc(this IServiceCollection services, Action<GrpcServiceOptions> configureOptions)
        {
            ArgumentNullException.ThrowIfNull(services);
            services.Configure(configureOptions);
            return services.AddGrpc();
        }

        private sealed record Builder(IServiceCollection Services) : IGrpcServerBuilder;
    }
}
