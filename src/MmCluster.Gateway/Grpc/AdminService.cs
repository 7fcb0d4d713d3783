using Grpc.Core;
using Microsoft.AspNetCore.Http;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Status;
using MmCluster.Gateway.Clustering;
using MmCluster.Gateway.Keys;
using MmCluster.Models;
using MmCluster.Protos.V1;
using ClusterStatus = MmCluster.Protos.V1.ClusterStatus;

namespace MmCluster.Gateway.Grpc;

/// <summary>mmcluster.v1.Admin over a cluster; every call needs an admin key.</summary>
internal sealed class AdminService(ClusterControl control) : Admin.AdminBase
{
    public override async Task<DeployResponse> Deploy(DeployRequest request, ServerCallContext context)
    {
        RequireAdmin(context);
        ClusterFile file;
        try
        {
            file = ClusterFile.Parse(request.ClusterYaml, "cluster_yaml");
        }
        catch (InvalidDataException error)
        {
            throw new MmException(MmErrorCode.InvalidArgument, error.Message, error) { Param = "cluster_yaml" };
        }
        AppliedFile applied = await control.ApplyAsync(file, request.DryRun, context.CancellationToken);
        return new DeployResponse { Changes = { applied.Changes }, NeedsRestart = { applied.NeedRestart } };
    }

    public override async Task<ScaleResponse> Scale(ScaleRequest request, ServerCallContext context)
    {
        RequireAdmin(context);
        if (request.Replicas < 1)
        {
            throw new MmException(MmErrorCode.InvalidArgument, $"'replicas' is {request.Replicas}; at least 1 is needed") { Param = "replicas" };
        }
        int before = await control.Cluster.ScaleAsync(request.Model, request.Component, request.Replicas, context.CancellationToken);
        return new ScaleResponse { Before = before, After = request.Replicas };
    }

    public override async Task Drain(DrainRequest request, IServerStreamWriter<DrainEvent> responseStream, ServerCallContext context)
    {
        RequireAdmin(context);
        await foreach (DrainProgress progress in control.Cluster.DrainAsync(request.Node, context.CancellationToken))
        {
            await responseStream.WriteAsync(new DrainEvent
            {
                Running = progress.Running,
                Stages = progress.Stages,
                Done = progress.Done,
                Problem = progress.Problem ?? "",
            });
        }
    }

    public override async Task<ClusterStatus> Status(StatusRequest request, ServerCallContext context)
    {
        RequireAdmin(context);
        return StatusMessage.Of(await control.Cluster.StatusAsync(context.CancellationToken));
    }

    private static void RequireAdmin(ServerCallContext context)
    {
        HttpContext http = context.GetHttpContext();
        if (!Caller.Of(http).IsAdmin)
        {
            throw new MmException(MmErrorCode.PermissionDenied, "this needs an admin key (keys: admin: true in cluster.yaml)");
        }
    }
}
