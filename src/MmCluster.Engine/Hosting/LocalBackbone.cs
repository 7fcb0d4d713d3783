using MmCluster.Engine.Pipeline;
using MmCluster.Models.Backbones;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Engine.Hosting;

/// <summary>
/// A model's backbone in this process: whole, cut into pipeline shards (some layers each), or split over tensor-parallel ranks (a part of every layer each). The first
/// part is loaded with the model's other components.
/// </summary>
public sealed class LocalBackbone : IDisposable
{
    private readonly List<LoadedModel> _parts = [];
    private readonly IReadOnlyList<ProcessGroup> _groups;
    private readonly Device _device;

    private LocalBackbone(Device device, IReadOnlyList<ProcessGroup> groups) => (_device, _groups) = (device, groups);

    /// <summary>The first part, with the other components that were asked for. It belongs to this.</summary>
    public LoadedModel Model => _parts[0];

    /// <summary>Bytes of the weights read, other components included.</summary>
    public long WeightBytes => _parts.Sum(part => part.WeightBytes);

    /// <summary>Bytes that the weights take on their devices, in the formats they are kept in.</summary>
    public long HeldBytes => _parts.Sum(part => part.HeldBytes);

    /// <summary>Completes with the reason when one of its GPUs, or what joins them, is of no more use to this process, which has to be restarted then.</summary>
    public Task<Exception> Lost => Task.WhenAny(_parts.Select((_, i) => DeviceOf(i).Lost).Concat(_groups.Select(group => group.Lost))).Unwrap();

    /// <summary>Loads it.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="options">What is loaded, and how; the device is the first part's, others take the GPUs behind it.</param>
    /// <param name="split">How the backbone is split.</param>
    /// <param name="card">The model's topology; null makes it from config.json.</param>
    /// <exception cref="ArgumentException">Layers or heads do not split so, or there are too few GPUs.</exception>
    /// <exception cref="NotSupportedException">A network that cannot be split, or both ways at once.</exception>
    /// <exception cref="InvalidDataException">There is no backbone, or its weights are broken.</exception>
    public static LocalBackbone Load(string folder, LoadOptions options, BackboneSplit split, ModelCard? card = null)
    {
        if (split is { Pipeline: > 1, Tensor: > 1 })
        {
            throw new NotSupportedException($"a pipeline-parallel size of {split.Pipeline} and a tensor-parallel size of {split.Tensor} in one process: one of them must be 1");
        }
        LocalBackbone backbone = new(options.Device, split.Tensor > 1 ? ProcessGroup.Create(options.Device, split.Tensor) : []);
        try
        {
            for (int i = 0; i < Math.Max(split.Pipeline, split.Tensor); i++)
            {
                LoadOptions part = options with
                {
                    Device = backbone.DeviceOf(i),
                    Shard = split.Pipeline > 1 ? LayerRange.Part(i, split.Pipeline) : options.Shard,
                    Group = split.Tensor > 1 ? backbone._groups[i] : options.Group,
                    Components = i == 0 ? options.Components : component => component.Kind == ComponentKind.Backbone,
                };
                backbone._parts.Add(LoadedModel.Load(folder, part, card));
                _ = backbone._parts[i].Backbone ?? throw new InvalidDataException($"{folder}: the model has no language model to run");
            }
            return backbone;
        }
        catch
        {
            backbone.Dispose();
            throw;
        }
    }

    /// <summary>An executor over all of it; <paramref name="options"/> are the sizes of all parts together.</summary>
    public IModelExecutor CreateExecutor(ExecutorOptions options) => (_parts.Count, _groups.Count) switch
    {
        (1, _) => Executors.Create(_parts[0].Backbone!, _device, options),
        (_, 0) => LocalPipeline.Create([.. _parts.Select((part, i) => Executors.CreateShard(part.Backbone!, DeviceOf(i), ForShard(options, part.Backbone!.Spec)))]),
        _ => Executors.CreateRanks(
            _groups, [.. _parts.Select(part => part.Backbone!)], [.. _parts.Select((_, i) => DeviceOf(i))], options.ForRank(_groups.Count)),
    };

    // Parts go to the GPUs from the first one on, in turn.
    private Device DeviceOf(int part) => _device.IsCpu ? _device : Device.Cuda((_device.Index + part) % Device.CudaCount);

    // A GPU of its own has all of its memory for its shard.
    private ExecutorOptions ForShard(ExecutorOptions options, BackboneSpec spec)
    {
        ExecutorOptions part = options.ForShard(spec.HeldLayers, spec.LayerCount);
        return _device.IsCpu || _parts.Count > Device.CudaCount ? part : part with { GpuMemoryUtilization = options.GpuMemoryUtilization };
    }

    /// <summary>Frees it; call it when the executor is gone.</summary>
    public void Dispose()
    {
        _parts.ForEach(model => model.Dispose());
        ProcessGroup.Close(_groups);
    }
}

/// <summary>Into how many parts a backbone is split.</summary>
/// <param name="Pipeline">Shards that have some of the layers each.</param>
/// <param name="Tensor">Ranks that have a part of every layer each.</param>
public readonly record struct BackboneSplit(int Pipeline = 1, int Tensor = 1)
{
    /// <summary>One part.</summary>
    public static BackboneSplit None { get; } = new(1, 1);
}
