using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Nodes;
using MmCluster.Cluster.Wire;

namespace MmCluster.Cluster.Placement;

/// <summary>What stages need of a GPU beside their weights.</summary>
internal static class GpuNeeds
{
    // Activations of the largest step, graphs, workspaces of the libraries; a stage says what it took once it is loaded.
    private const long StageBytes = 1L << 30;

    /// <summary>Bytes to look for when a stage is placed.</summary>
    /// <param name="device">cpu, cuda or cuda:N.</param>
    /// <param name="weights">Weights, and a KV cache of a given size.</param>
    public static long Of(string device, long weights) => IsGpu(device) ? weights + StageBytes : weights;

    /// <summary>Devices that a part of the backbone is on: a GPU for each rank, while ranks on a processor share it.</summary>
    public static int DevicesOf(ModelDeployment deployment) =>
        IsGpu(deployment.Component(ModelDeployment.BackboneComponent).Device) ? deployment.TensorRanks : 1;

    /// <summary>
    /// Bytes that a backbone on a GPU must leave to encoders and generators of its model that are not there yet: its KV cache takes all there is, and it may be loaded
    /// before they are placed.
    /// </summary>
    public static long KeptFor(ModelDesire desire, IReadOnlyCollection<StageView> stages)
    {
        string backbone = desire.Deployment!.Component(ModelDeployment.BackboneComponent).Device;
        if (!IsGpu(backbone))
        {
            return 0;
        }
        IReadOnlyList<string> span = backbone == "cuda" ? [] : DeviceSpan.Names(backbone, DevicesOf(desire.Deployment));
        return desire.Stages!.Encoders.Sum(encoder => Missing(encoder.Component, encoder.Digest, encoder.Bytes))
            + desire.Stages.Generators.Sum(generator => Missing(generator.Component, generator.Digest, generator.Bytes));

        long Missing(string component, string digest, long bytes)
        {
            string device = desire.Deployment.Component(component).Device;
            int there = stages.Count(stage => stage.Digest == digest && stage.Status.Component == component);
            return IsGpu(device) && (device == "cuda" || backbone == "cuda" || span.Contains(device))
                ? Math.Max(desire.Replicas(component) - there, 0) * Of(device, bytes)
                : 0;
        }
    }

    private static bool IsGpu(string device) => device.StartsWith("cuda", StringComparison.Ordinal);
}
