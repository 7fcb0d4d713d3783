using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Sources;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.TensorLink.Channels;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Engine.Encoders;
using MmCluster.Engine.Generation;
using MmCluster.Engine.Hosting;
using MmCluster.Engine.Pipeline;
using MmCluster.Engine.Simulation;
using MmCluster.Models;
using MmCluster.Models.Backbones;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Stages;

/// <summary>Makes stages from what is deployed. Its methods hold their thread as long as reading weights takes.</summary>
internal sealed class StageLoader(ModelSource source, IGrainFactory grains, TensorLinkEndpoint link, TimeProvider time, IMediaGenerators? generators = null)
{
    private static readonly EncoderOptions Encoders = new();

    /// <exception cref="Exception">What the model's files are at fault for.</exception>
    /// <param name="spec">The stage; its device is the one that was promised.</param>
    /// <param name="room">Bytes of that device that it may take in all.</param>
    /// <param name="cancellationToken">Gives up waiting for other shards.</param>
    public async Task<IStage> LoadAsync(StageSpec spec, long room, CancellationToken cancellationToken) => spec.Kind switch
    {
        StageKind.Backbone when spec.Deployment.Simulation is { } profile => Simulated(spec, profile),
        StageKind.Backbone => await BackboneAsync(spec, room, cancellationToken),
        StageKind.Shard => Shard(spec, room),
        StageKind.Encoder => Encoder(spec),
        StageKind.Generator => Generator(spec),
        _ => throw new NotSupportedException($"{spec.Key}: this node cannot load a stage of kind {spec.Kind}"),
    };

    /// <summary>Loads what a further model needs behind a shared encoder.</summary>
    public EncoderUser LoadUser(StageSpec spec) => User(spec, Model(spec));

    private BackboneStage Simulated(StageSpec spec, SimulationProfile profile)
    {
        EngineOptions options = OptionsOf(spec.Deployment.Limits);
        SimulatedExecutor executor = new(profile, time);
        return Stage(spec, executor, options, weights: null, Executors.BytesOf(executor));
    }

    private async Task<IStage> BackboneAsync(StageSpec spec, long room, CancellationToken cancellationToken)
    {
        LocatedModel located = source.Locate(spec.Deployment);
        LocalBackbone backbone = LocalBackbone.Load(located.Folder, LayersOf(spec), new BackboneSplit(Tensor: spec.Deployment.TensorRanks), located.Card);
        LoadedModel model = backbone.Model;
        long weights = OnEach(spec, backbone.HeldBytes);
        BackboneStage? stage = null;
        try
        {
            Tokenizers.Tokenizer? tokenizer = ModelPrompts.TokenizerOf(located.Folder, located.Card!);
            ModelPrompts prompts = new(located.Folder, located.Card!, tokenizer, model.SpecialTokens, time);
            EngineLimits limits = spec.Deployment.Limits;
            EngineOptions options = OptionsOf(limits) with
            {
                EosTokenIds = prompts.Eos,
                Vocabulary = tokenizer is null ? null : new TokenizerVocabulary(tokenizer),
            };
            ExecutorOptions sizes = ExecutorOptionsOf(spec, room - weights - FrameBytes(spec, model.Backbone!.Spec));
            (IModelExecutor executor, long bytes) = spec.Deployment.PipelineParallelSize == 1
                ? Whole(spec, backbone.CreateExecutor(sizes))
                : await FirstShardAsync(spec, Executors.CreateShard(model.Backbone!, DeviceOf(spec), sizes), cancellationToken);
            stage = Stage(spec, executor, options, backbone, weights + bytes);
            await WarmUpAsync(stage, model.SpecialTokens, stage.Facts);
            if (executor is PipelineExecutor pipeline)
            {
                stage.BreakWhen(pipeline.Lost, new MmException(MmErrorCode.Unavailable, $"a shard of {spec.Key} is lost"));
            }
            else if (spec.Deployment.TensorRanks > 1)
            {
                stage.BreakWhen(backbone.Lost, new MmException(MmErrorCode.Unavailable, $"the ranks of {spec.Key} have lost each other"));
            }
            return stage;
        }
        catch
        {
            if (stage is not null)
            {
                await stage.DisposeAsync();
            }
            backbone.Dispose();
            throw;
        }
    }

    private static (IModelExecutor Executor, long Bytes) Whole(StageSpec spec, IModelExecutor executor) => (executor, OnEach(spec, Executors.BytesOf(executor)));

    // Ranks have the same of everything, but for what does not divide.
    private static long OnEach(StageSpec spec, long bytes) => (bytes + spec.FurtherDevices) / spec.DeviceCount;

    private async Task<(IModelExecutor Executor, long Bytes)> FirstShardAsync(StageSpec spec, IModelShard first, CancellationToken cancellationToken)
    {
        try
        {
            long bytes = Executors.BytesOf(first) + FrameBytes(spec, first.Spec);
            return (await new PipelineAssembly(grains, link, time).AssembleAsync(spec.Key, first, spec.Deployment.PipelineParallelSize, cancellationToken), bytes);
        }
        catch
        {
            first.Dispose();
            throw;
        }
    }

    private ShardStage Shard(StageSpec spec, long room)
    {
        LocatedModel located = source.Locate(spec.Deployment);
        var model = LoadedModel.Load(located.Folder, LayersOf(spec), located.Card);
        try
        {
            IModelShard shard = Executors.CreateShard(model.Backbone!, DeviceOf(spec), ExecutorOptionsOf(spec, room - model.HeldBytes - FrameBytes(spec, model.Backbone!.Spec)));
            return new ShardStage(shard, model, model.HeldBytes + Executors.BytesOf(shard) + FrameBytes(spec, shard.Spec), link);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private GeneratorStage Generator(StageSpec spec)
    {
        LocatedModel located = source.Locate(spec.Deployment);
        ComponentCard component = located.Card!.Components.Single(component => component.Name == spec.Component);
        IMediaGenerator generator = generators?.Load(located.Folder, located.Card, component, DeviceOf(spec))
            ?? throw new NotSupportedException($"{located.Card.File}: component '{spec.Component}': this node has no networks of generators");
        return new GeneratorStage(spec.Key, generator, spec.Deployment.Limits.MaxQueue, link, time);
    }

    private LoadOptions LayersOf(StageSpec spec)
    {
        int shards = spec.Deployment.PipelineParallelSize;
        return source.LoadOptionsOf(spec.Deployment) with
        {
            Device = DeviceOf(spec),
            Shard = shards == 1 ? LayerRange.All : LayerRange.Part(spec.Shard, shards),
            Components = component => component.Kind == ComponentKind.Backbone,
        };
    }

    private BackboneStage Stage(StageSpec spec, IModelExecutor executor, EngineOptions options, IDisposable? weights, long bytes)
    {
        ExecutorDescription description = executor.Describe();
        StageTimes times = new();
        var engine = new Engine.Engine(executor, options with { Timings = times }, time);
        BackboneFacts facts = new(engine.MaxLength, description.VocabularySize, description.Kind, description.BlockSize);
        return new BackboneStage(spec.Key, engine, engine.Statistics, times, facts, spec.Deployment.Limits.MaxQueue, bytes, weights, link, time);
    }

    private EncoderStage Encoder(StageSpec spec)
    {
        LoadedModel model = Model(spec);
        try
        {
            EncoderUser user = User(spec, model);
            ImagePreprocessing preprocessing = ImagePreprocessing.Read(model.Folder, user.Path.Card, user.Path.Encoder.Spec);
            return new EncoderStage(spec.Key, user, preprocessing, spec.Deployment.Limits.MaxQueue, Encoders, link, time, model.HeldBytes);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static EncoderUser User(StageSpec spec, LoadedModel model) => new(spec.Deployment.Name, spec.Revision, model, DeviceOf(spec), Encoders);

    private LoadedModel Model(StageSpec spec)
    {
        LocatedModel located = source.Locate(spec.Deployment);
        HashSet<string> own = PathOf(located.Card!, spec.Component);
        return LoadedModel.Load(
            located.Folder,
            source.LoadOptionsOf(spec.Deployment) with { Device = DeviceOf(spec), Components = component => own.Contains(component.Name) },
            located.Card);
    }

    // An encoder and the projectors behind it.
    private static HashSet<string> PathOf(ModelCard card, string encoder)
    {
        HashSet<string> path = [encoder];
        while (card.Components.FirstOrDefault(component =>
            component.Kind == ComponentKind.Projector && !path.Contains(component.Name) && component.From.Any(path.Contains)) is { } next)
        {
            path.Add(next.Name);
        }
        return path;
    }

    private static Device DeviceOf(StageSpec spec) => Device.Parse(spec.Device);

    // Rows for the next shard lie in the exported slab of the sender's GPU; the last shard sends none.
    private static long FrameBytes(StageSpec spec, BackboneSpec backbone) => backbone.HoldsHead || DeviceOf(spec).IsCpu ? 0 : ChannelShape.Of(
        new PipelineChannels(PipelineChannels.FramesBetween, spec.Deployment.Limits.MaxNumBatchedTokens, backbone.HiddenSize)).MemoryBytes;

    private static ExecutorOptions ExecutorOptionsOf(StageSpec spec, long room) => new()
    {
        MaxSlots = spec.Deployment.Limits.MaxNumSeqs,
        MaxBatchedTokens = spec.Deployment.Limits.MaxNumBatchedTokens,
        MaxModelLength = spec.Deployment.Limits.MaxModelLength,
        KvCacheBytes = spec.Deployment.Limits.KvCacheMemoryBytes / spec.Deployment.PipelineParallelSize,
        KvCacheDType = spec.Deployment.Limits.KvCacheDtype,
        GpuMemoryUtilization = spec.Deployment.Limits.GpuMemoryUtilization ?? 0.9,
        GpuMemoryBytes = room - spec.KeptBytes,
    };

    private static EngineOptions OptionsOf(EngineLimits limits) => new()
    {
        MaxNumSeqs = limits.MaxNumSeqs,
        MaxNumBatchedTokens = limits.MaxNumBatchedTokens,
        MaxModelLength = limits.MaxModelLength,
        // The stage's own queue bounds what comes in; this one only must not be smaller.
        MaxQueue = int.MaxValue,
        EnablePrefixCaching = limits.EnablePrefixCaching,
        SharePrefixesAcrossTenants = limits.SharePrefixesAcrossTenants,
        SpeculativeTokens = limits.SpeculativeTokens,
    };

    // One step over the whole network, so that the first request finds its memory and kernels ready.
    private static async Task WarmUpAsync(BackboneStage stage, SpecialTokenIds special, BackboneFacts facts)
    {
        const string Session = "warm-up";
        stage.Submit(new GenerationMessage
        {
            Gateway = Session,
            Handle = 0,
            Request = Session,
            Prompt = [new PromptPart { Tokens = [special.Bos is { } bos && bos < facts.VocabularySize ? bos : 0] }],
            DecoderPrompt = facts.Kind == DecoderKind.EncoderDecoder ? [special.DecoderStart ?? 0] : null,
            Sampling = new SamplingParameters { MaxTokens = 1, Temperature = 0 },
        });
        await foreach (StepBatch batch in stage.ReadAsync(Session, 0, CancellationToken.None))
        {
            if (batch.Entries is not [TokenEntry entry, ..])
            {
                continue; // how a stream begins
            }
            if (entry.Extra?.Error is { } error)
            {
                throw error;
            }
            return;
        }
        throw stage.Failure ?? new MmException(MmErrorCode.Internal, "the engine ended while it warmed up");
    }
}
