using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using MmCluster.Gateway.Grpc.Inference;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Uploads;

namespace MmCluster.Gateway.Grpc;

/// <summary>Puts the gRPC services on a host. Services that are not offered are not registered: calls of them end as Unimplemented.</summary>
internal static class GrpcFront
{
    public static IServiceCollection AddGatewayGrpc(this IServiceCollection services, GatewayOptions options)
    {
        services.AddSingleton(provider => new UploadStore(options.MaxUploadBytes, options.UploadLifetime, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<CallGuard>();
        services.AddSingleton<GenerationService>();
        services.AddSingleton<InferenceService>();
        services.AddSingleton<HealthService>();
        if (options.Control is { } control)
        {
            services.AddSingleton(control).AddSingleton<AdminService>();
        }
        services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = (int)Math.Min(options.MaxRequestBytes, int.MaxValue);
            grpc.Interceptors.Add<CallGuard>();
        });
        return services;
    }

    public static void MapGatewayGrpc(this IEndpointRouteBuilder routes, GatewayOptions options)
    {
        if (options.Control is not null)
        {
            routes.MapGrpcService<AdminService>();
        }
        routes.MapGrpcService<GenerationService>();
        routes.MapGrpcService<InferenceService>();
        routes.MapGrpcService<HealthService>();
    }
}
