using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Hosting;
using MmCluster.Models;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Models.Hub;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Sources;

/// <summary>Finds the files of deployed models on this machine, and tells what stages a model has. Safe to call from any thread.</summary>
internal sealed class ModelSource(MmProcessOptions options)
{
    private readonly LocalStore _store = options.StoreFolder is { } folder ? new LocalStore(folder) : LocalStore.FromEnvironment();
    private readonly ConcurrentDictionary<string, Lazy<ModelStages>> _stages = [];

    /// <summary>The revision that a deployment is: all of it but how many replicas there are.</summary>
    public static string RevisionOf(ModelDeployment deployment)
    {
        string parts = JsonSerializer.Serialize(new
        {
            deployment.Source,
            deployment.Simulation,
            deployment.Revision,
            deployment.Dtype,
            deployment.PipelineParallelSize,
            deployment.Limits,
            Devices = deployment.Components.OrderBy(item => item.Key, StringComparer.Ordinal)
                .Select(item => new { item.Key, item.Value.Device, item.Value.Role, item.Value.Zone }),
        });
        if (deployment.TensorRanks > 1)
        {
            parts += $" tensor_parallel_size={deployment.TensorRanks}"; // what is not said makes no new revision
        }
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(parts)).AsSpan(0, 4));
        return deployment.Revision.Length == 0 ? hash : $"{deployment.Revision}-{hash}";
    }

    /// <summary>Where a deployment's files are.</summary>
    /// <exception cref="MmException">NotFound, saying what to do.</exception>
    /// <exception cref="InvalidDataException">A broken card.</exception>
    public LocatedModel Locate(ModelDeployment deployment)
    {
        LocatedModel located = new ModelLocator(options.CardsFolder, _store).Locate(deployment.Source!);
        return located.Card is null ? located with { Card = LoadedModel.CardOf(located.Folder) } : located;
    }

    /// <summary>How a deployment's weights are loaded.</summary>
    public LoadOptions LoadOptionsOf(ModelDeployment deployment) => new()
    {
        Backbone = deployment.Dtype,
        MaxModelLength = deployment.Limits.MaxModelLength,
        Resolve = id => _store.Find(id)?.Folder
            ?? throw new MmException(MmErrorCode.NotFound, $"the weights of {id} are not here yet: run 'mm pull {id}'"),
    };

    /// <summary>The stages of a model. The first call for a revision reads its encoders' weights, to name them by what they are.</summary>
    /// <exception cref="MmException">NotFound, or InvalidArgument for what cannot be served.</exception>
    public ModelStages StagesOf(ModelDeployment deployment)
    {
        Lazy<ModelStages> stages = _stages.GetOrAdd(RevisionOf(deployment), _ => new Lazy<ModelStages>(() => Describe(deployment)));
        try
        {
            return stages.Value;
        }
        catch (Exception error)
        {
            // Files may come later.
            _stages.TryRemove(RevisionOf(deployment), out _);
            throw MmException.From(error);
        }
    }

    private ModelStages Describe(ModelDeployment deployment)
    {
        if (deployment.Simulation is { } profile)
        {
            return new ModelStages(deployment.Limits.KvCacheMemoryBytes ?? (long)profile.BlockCount * 16 * sizeof(ulong), 0, []);
        }
        LocatedModel located = Locate(deployment);
        ModelCard card = located.Card!;
        LoadOptions load = LoadOptionsOf(deployment);
        ComponentCard backbone = card.Backbone ?? throw new MmException(MmErrorCode.InvalidArgument, $"{located.Folder}: the model has no language model to run");
        long weights = BytesOf(new ComponentIdentity(located.Folder, card, backbone, load).CountElements(), deployment.Dtype);
        List<EncoderPlan> encoders = [];
        foreach (ComponentCard encoder in card.Components.Where(component => component.Kind == ComponentKind.Encoder))
        {
            if (encoder.Modality != Modality.Image)
            {
                throw new MmException(MmErrorCode.InvalidArgument, $"{card.File}: component '{encoder.Name}' takes {encoder.Modality}; only pictures can be read so far");
            }
            ComponentIdentity identity = new(located.Folder, card, encoder, load);
            encoders.Add(new EncoderPlan(encoder.Name, Modality.Image, identity.ComputeDigest(), BytesOf(identity.CountElements(), deployment.Dtype == DType.F32 ? DType.F32 : DType.BF16)));
        }
        GeneratorPlan[] generators = [.. card.Components.Where(component => component.Kind == ComponentKind.Generator).Select(generator =>
        {
            ComponentIdentity identity = new(located.Folder, card, generator, load);
            return new GeneratorPlan(generator.Name, generator.Modality!.Value, identity.ComputeDigest(), BytesOf(identity.CountElements(), DType.BF16));
        })];
        return new ModelStages(deployment.Limits.KvCacheMemoryBytes ?? 0, weights, encoders)
        {
            Shards = deployment.PipelineParallelSize,
            Generators = generators,
        };
    }

    private static long BytesOf(long elements, DType dtype) => dtype.Bytes((elements + DTypes.BlockLength - 1) / DTypes.BlockLength * DTypes.BlockLength);
}

/// <summary>What stages a model has.</summary>
/// <param name="KvBytes">Bytes of its KV cache; 0 where the executor chooses.</param>
/// <param name="BackboneBytes">Bytes of the language model's weights.</param>
/// <param name="Encoders">Its encoders.</param>
internal sealed record ModelStages(long KvBytes, long BackboneBytes, IReadOnlyList<EncoderPlan> Encoders)
{
    /// <summary>Processes that share the backbone's layers.</summary>
    public int Shards { get; init; } = 1;

    /// <summary>Its generators.</summary>
    public IReadOnlyList<GeneratorPlan> Generators { get; init; } = [];
}

/// <summary>An encoder of a model.</summary>
/// <param name="Component">Its name in the card.</param>
/// <param name="Modality">What it takes.</param>
/// <param name="Digest">What it is, whatever model it belongs to.</param>
/// <param name="Bytes">Bytes of its weights.</param>
internal sealed record EncoderPlan(string Component, Modality Modality, string Digest, long Bytes);

/// <summary>A generator of a model, with the output projectors that feed it.</summary>
/// <param name="Component">Its name in the card.</param>
/// <param name="Modality">What it makes.</param>
/// <param name="Digest">What it is, whatever model it belongs to.</param>
/// <param name="Bytes">Bytes of its weights.</param>
internal sealed record GeneratorPlan(string Component, Modality Modality, string Digest, long Bytes);
