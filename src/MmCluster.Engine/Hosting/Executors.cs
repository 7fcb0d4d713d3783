using MmCluster.Engine.Cpu;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Hosting;

/// <summary>The executor for a device.</summary>
public static class Executors
{
    /// <summary>An executor over a whole <paramref name="backbone"/>, whose weights are on <paramref name="device"/>; it stays the caller's and must outlive it.</summary>
    /// <exception cref="ArgumentException">The backbone lacks layers, or the options leave no room for one sequence.</exception>
    /// <exception cref="NotSupportedException">No executor for that kind of device.</exception>
    public static IModelExecutor Create(IBackbone backbone, Device device, ExecutorOptions options) => device.Kind switch
    {
        "cpu" => new CpuExecutor(backbone, options),
        _ => throw new NotSupportedException($"there is no executor for {device}; known: cpu"),
    };
}
