using Grpc.Core;
using Grpc.Health.V1;
using Microsoft.Extensions.Hosting;
using MmCluster.Gateway.Models;
using MmCluster.Models;
using static Grpc.Health.V1.HealthCheckResponse.Types;

namespace MmCluster.Gateway.Grpc;

/// <summary>
/// grpc.health.v1: the server as a whole (""), its services by full name, and each model by its name. Serving means that warm-up steps have
/// run and no stop was asked for.
/// </summary>
internal sealed class HealthService(ServedModels models, IHostApplicationLifetime lifetime, TimeProvider time) : Health.HealthBase
{
    /// <summary>How often a watch looks whether the status has changed.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private static readonly HashSet<string> Services =
        ["", "mmcluster.v1.Generation", "mmcluster.v1.Admin", "inference.GRPCInferenceService", "grpc.health.v1.Health"];

    public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) =>
        StatusOf(request.Service) is var status && status != ServingStatus.ServiceUnknown
            ? Task.FromResult(new HealthCheckResponse { Status = status })
            : throw new MmException(MmErrorCode.NotFound, $"there is no service or model '{request.Service}' here") { Param = "service" };

    public override async Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        ServingStatus? told = null;
        try
        {
            while (true)
            {
                ServingStatus now = StatusOf(request.Service);
                if (now != told)
                {
                    await responseStream.WriteAsync(new HealthCheckResponse { Status = now });
                    told = now;
                }
                await Task.Delay(Interval, time, end.Token);
            }
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested && !context.CancellationToken.IsCancellationRequested)
        {
            // A watch would otherwise keep a stopping server up until its timeout.
            await responseStream.WriteAsync(new HealthCheckResponse { Status = StatusOf(request.Service) });
        }
    }

    private ServingStatus StatusOf(string service)
    {
        bool? ready = Services.Contains(service) ? models.Ready : models.All.FirstOrDefault(model => model.Id == service)?.Ready;
        return ready is null ? ServingStatus.ServiceUnknown
            : ready.Value && !lifetime.ApplicationStopping.IsCancellationRequested ? ServingStatus.Serving
            : ServingStatus.NotServing;
    }
}
