using MmCluster.Models.Backbones;
using MmCluster.Models.Checkpoints;
using MmCluster.Models.Encoders;
using MmCluster.Models.Projectors;

namespace MmCluster.Models.Catalog;

/// <summary>
/// The networks that cards may name. Adding one is its file and a line here.
/// </summary>
internal static class Networks
{
    public delegate IBackbone MakeBackbone(ModelConfig config, WeightSource weights, LayerRange shard);

    public delegate IEncoder MakeEncoder(ModelConfig config, WeightSource weights);

    public delegate IProjector MakeProjector(ModelConfig config, WeightSource weights, int inputs, int outputs);

    private static readonly Dictionary<string, MakeBackbone> Backbones = new()
    {
        ["llama"] = (config, weights, shard) => new LlamaBackbone(LlamaConfig.Read(config), weights, shard),
        ["opt"] = (config, weights, shard) => new OptBackbone(OptConfig.Read(config), weights, shard),
        ["t5"] = (config, weights, shard) => new T5Backbone(T5Config.Read(config), weights, shard),
    };

    private static readonly Dictionary<string, MakeEncoder> Encoders = new()
    {
        ["blip_vision"] = (config, weights) => new BlipVisionEncoder(BlipVisionConfig.Read(config), weights),
        ["clip_vision"] = (config, weights) => new ClipVisionEncoder(ClipVisionConfig.Read(config), weights),
    };

    private static readonly Dictionary<string, MakeProjector> Projectors = new()
    {
        ["linear_projector"] = (config, weights, inputs, outputs) => new LinearProjector(config, weights, inputs, outputs),
        ["mlp_projector"] = (config, weights, inputs, outputs) => new MlpProjector(config, weights, inputs, outputs),
        ["qformer"] = (config, weights, inputs, _) => new QFormerProjector(QFormerConfig.Read(config), weights, inputs),
    };

    /// <summary>The backbone network called <paramref name="name"/>.</summary>
    /// <exception cref="NotSupportedException">Unknown; the message lists the known ones.</exception>
    public static MakeBackbone Backbone(string name, string place) => Find(Backbones, "backbone", name, place);

    /// <summary>The encoder network called <paramref name="name"/>.</summary>
    /// <exception cref="NotSupportedException">Unknown; the message lists the known ones.</exception>
    public static MakeEncoder Encoder(string name, string place) => Find(Encoders, "encoder", name, place);

    /// <summary>The projector network called <paramref name="name"/>.</summary>
    /// <exception cref="NotSupportedException">Unknown; the message lists the known ones.</exception>
    public static MakeProjector Projector(string name, string place) => Find(Projectors, "projector", name, place);

    private static T Find<T>(Dictionary<string, T> networks, string kind, string name, string place) => networks.TryGetValue(name, out T? make)
        ? make
        : throw new NotSupportedException($"{place}: {kind} network '{name}' is not known; known: {string.Join(", ", networks.Keys.Order(StringComparer.Ordinal))}");
}
