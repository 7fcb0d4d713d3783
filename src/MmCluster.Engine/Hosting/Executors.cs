using MmCluster.Engine.Cpu;
using MmCluster.Engine.Cuda;
using MmCluster.Engine.Pipeline;
using MmCluster.Engine.TensorParallel;
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
        "cuda" => new CudaExecutor(backbone, device, options),
        _ => throw new NotSupportedException($"there is no executor for {device}; known: cpu, cuda"),
    };

    /// <summary>
    /// An executor over the ranks of a tensor-parallel group: <paramref name="backbones"/>[i] has the part of rank i, on <paramref name="devices"/>[i]. Backbones and
    /// group stay the caller's and must outlive it.
    /// </summary>
    /// <param name="groups">The group's ends.</param>
    /// <param name="backbones">A backbone a rank.</param>
    /// <param name="devices">A device a rank.</param>
    /// <param name="options">The sizes of one rank.</param>
    /// <exception cref="ArgumentException">A backbone lacks layers, or the options leave no room for one sequence.</exception>
    public static IModelExecutor CreateRanks(
        IReadOnlyList<ProcessGroup> groups, IReadOnlyList<IBackbone> backbones, IReadOnlyList<Device> devices, ExecutorOptions options) =>
        new TensorParallelExecutor(groups, rank => (IRankExecutor)Create(backbones[rank], devices[rank], options));

    /// <summary>A pipeline shard over the layers of <paramref name="backbone"/>, whose weights are on <paramref name="device"/>; it stays the caller's and must outlive it.</summary>
    /// <exception cref="ArgumentException">The network cannot be cut, or the options leave no room for one block.</exception>
    /// <exception cref="NotSupportedException">No shards on that kind of device.</exception>
    public static IModelShard CreateShard(IBackbone backbone, Device device, ExecutorOptions options) => device.Kind switch
    {
        "cpu" => new CpuShard(backbone, options),
        "cuda" => new CudaShard(backbone, device, options),
        _ => throw new NotSupportedException($"there are no pipeline shards on {device}; known: cpu, cuda"),
    };

    /// <summary>Bytes that an executor took for itself, over all its ranks: KV cache, and on a GPU graphs and activations too. Weights are not its own.</summary>
    public static long BytesOf(IModelExecutor executor) => executor switch
    {
        CudaExecutor gpu => gpu.Memory.Total,
        TensorParallelExecutor parts => parts.Ranks.Sum(BytesOf),
        _ => KvBytes(executor.Describe()),
    };

    /// <inheritdoc cref="BytesOf(IModelExecutor)"/>
    public static long BytesOf(IModelShard shard) => shard is CudaShard gpu ? gpu.Memory.Total : KvBytes(shard.Describe());

    private static long KvBytes(ExecutorDescription description) => description.BlockBytes * description.BlockCount;
}
