using MmCluster.Cli.Hosting;
using MmCluster.Cluster.Hosting;
using MmCluster.Cluster.Status;

namespace MmCluster.Cli.Clustering;

/// <summary>A silo's process from its start to its stop.</summary>
internal static class NodeRun
{
    /// <summary>Says which GPUs the silo has.</summary>
    public static async Task TellGpusAsync(INodeDevices devices, TextWriter to)
    {
        foreach (DeviceStatus gpu in devices.Devices.Where(device => device.Model.Length > 0))
        {
            string use = gpu.CapacityBytes == 0 ? "too old for our kernels, or full" : $"{gpu.CapacityBytes >> 20} of {gpu.TotalBytes >> 20} MiB for stages";
            await to.WriteLineAsync($"silo: {gpu.Name} is {gpu.Model} ({gpu.ComputeCapability}): {use}");
        }
    }

    /// <summary>
    /// Waits until <paramref name="running"/> ends, or a GPU is lost: then the process must end, so that whoever keeps it up starts it anew. Other nodes take over
    /// meanwhile.
    /// </summary>
    /// <exception cref="Models.MmException">Unavailable: a GPU is lost.</exception>
    public static async Task<T> UntilLostAsync<T>(INodeDevices devices, Func<CancellationToken, Task<T>> running, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<T> run = running(stop.Token);
        if (await Task.WhenAny(run, devices.Lost) == run)
        {
            return await run;
        }
        await stop.CancelAsync();
        await run;
        throw await devices.Lost;
    }

    /// <inheritdoc cref="UntilLostAsync{T}"/>
    public static Task<int> UntilStoppedAsync(INodeDevices devices, CancellationToken cancellationToken) => UntilLostAsync(
        devices,
        async stop =>
        {
            await stop.UntilCancelledAsync();
            return ExitCodes.Done;
        },
        cancellationToken);
}
