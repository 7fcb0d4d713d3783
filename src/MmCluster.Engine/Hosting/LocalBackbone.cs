using MmCluster.Engine.Pipeline;
using MmCluster.Models.Backbones;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Engine.Hosting;

/// <summary>A model's backbone in this process: whole, or cut into pipeline shards, the first of which is loaded with the model's other components.</summary>
public sealed class LocalBackbone : IDisposable
{
    private readonly LoadedModel _first;
    private readonly List<LoadedModel> _behind = [];
    private readonly List<IBackbone> _parts;

    private LocalBackbone(LoadedModel first, IBackbone backbone) => (_first, _parts) = (first, [backbone]);

    /// <summary>Bytes of its weights, the first shard's other components included.</summary>
    public long WeightBytes => _first.WeightBytes + _behind.Sum(model => model.WeightBytes);

    /// <summary>What the first of <paramref name="shards"/> loads.</summary>
    public static LayerRange FirstOf(int shards) => shards == 1 ? LayerRange.All : LayerRange.Part(0, shards);

    /// <summary>Loads the shards behind the first, which <paramref name="first"/> has and keeps.</summary>
    /// <exception cref="InvalidDataException">There is no backbone.</exception>
    public static LocalBackbone Complete(LoadedModel first, LoadOptions options, int shards)
    {
        LocalBackbone backbone = new(first, first.Backbone ?? throw new InvalidDataException($"{first.Folder}: the model has no language model to run"));
        try
        {
            for (int i = 1; i < shards; i++)
            {
                LoadedModel shard = LoadedModel.Load(first.Folder, options with
                {
                    Device = DeviceOf(options.Device, i),
                    Shard = LayerRange.Part(i, shards),
                    Components = component => component.Kind == ComponentKind.Backbone,
                }, first.Card);
                backbone._behind.Add(shard);
                backbone._parts.Add(shard.Backbone!);
            }
            return backbone;
        }
        catch
        {
            backbone.Dispose();
            throw;
        }
    }

    /// <summary>An executor over all of it; <paramref name="options"/> are the sizes of all shards together.</summary>
    public IModelExecutor CreateExecutor(Device device, ExecutorOptions options) => _parts.Count == 1
        ? Executors.Create(_parts[0], device, options)
        : LocalPipeline.Create([.. _parts.Select((part, i) => Executors.CreateShard(part, DeviceOf(device, i), ForShard(options, device, part.Spec)))]);

    // Shards go to the GPUs from the first one on, in turn.
    private static Device DeviceOf(Device first, int shard) => first.IsCpu ? first : Device.Cuda((first.Index + shard) % Device.CudaCount);

    // A GPU of its own has all of its memory for its shard.
    private ExecutorOptions ForShard(ExecutorOptions options, Device device, BackboneSpec spec)
    {
        ExecutorOptions part = options.ForShard(spec.HeldLayers, spec.LayerCount);
        return device.IsCpu || _parts.Count > Device.CudaCount ? part : part with { GpuMemoryUtilization = options.GpuMemoryUtilization };
    }

    /// <summary>Frees the shards behind the first; call it when the executor is gone.</summary>
    public void Dispose() => _behind.ForEach(model => model.Dispose());
}
