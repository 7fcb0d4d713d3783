using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.TensorLink.Channels;
using MmCluster.Cluster.Wire;

namespace MmCluster.Cluster.Grains;

/// <summary>The life of a stage, driven by the models' grains.</summary>
[Alias("mm.IStage")]
internal interface IStageGrain : IGrainWithStringKey
{
    /// <summary>Begins to load it where memory was reserved; the state comes with the node's view. Where it is there already, another model joins it.</summary>
    [Alias("Load")]
    Task LoadAsync(StageSpec spec);

    /// <summary>It takes no new requests from now on.</summary>
    [Alias("Drain")]
    Task DrainAsync();

    /// <summary>A model needs it no more. True when none does.</summary>
    [Alias("Detach")]
    Task<bool> DetachAsync(string model, string revision);

    /// <summary>Ends it; requests that it has end with Unavailable.</summary>
    [Alias("Unload")]
    Task UnloadAsync();
}

/// <summary>One encoder and the input projectors of every model that uses it. The key is digest/replica.</summary>
[Alias("mm.IEncoder")]
internal interface IEncoderGrain : IStageGrain
{
    /// <summary>Takes an item in, or says at once that there is no room.</summary>
    [Alias("Submit")]
    Task SubmitAsync(EncodeMessage message);

    /// <summary>Its features, or none yet after a few seconds: ask again.</summary>
    [Alias("Result")]
    Task<EncodeReply> ResultAsync(string request, int item);

    /// <summary>These requests go on.</summary>
    [Alias("Renew")]
    Task RenewAsync(string[] requests);

    /// <summary>These requests have ended: what they hold here is freed.</summary>
    [Alias("Release")]
    Task ReleaseAsync(string[] requests);
}

/// <summary>Scheduler, KV cache and language model, or its first shard. The key is model@revision/replica.</summary>
[Alias("mm.IBackbone")]
internal interface IBackboneGrain : IStageGrain
{
    /// <summary>Takes a request in, or says at once why not. What comes of it goes down the gateway's stream.</summary>
    [Alias("Submit")]
    Task SubmitAsync(GenerationMessage message);

    /// <summary>Ends submissions; returns when nothing of them is left.</summary>
    [Alias("Cancel")]
    Task CancelAsync(string gateway, long[] handles);

    /// <summary>An item's features are there; returns when they were pulled.</summary>
    [Alias("Supply")]
    Task SupplyAsync(string gateway, long handle, int item, TensorRef features);

    /// <summary>All that the stage makes for a gateway after a number: one stream a gateway and replica.</summary>
    [Alias("Read")]
    IAsyncEnumerable<StepBatch> ReadAsync(string gateway, long after, CancellationToken cancellationToken);
}

/// <summary>Layers i..j of a backbone replica behind its first shard. The key is model@revision/replica/shard.</summary>
[Alias("mm.IBackboneShard")]
internal interface IBackboneShardGrain : IStageGrain
{
    /// <summary>What it can hold; null while it belongs to a replica.</summary>
    [Alias("Offer")]
    Task<ShardFacts?> OfferAsync();

    /// <summary>Makes its receiving end.</summary>
    [Alias("Expect")]
    Task<ChannelRef> ExpectAsync(int frames, int rows, int width);

    /// <summary>Connects its sending end and starts.</summary>
    [Alias("Connect")]
    Task ConnectAsync(ChannelRef next);
}

/// <summary>Output projectors, a generator and its decoder: conditions to media. The key begins with the generator's digest.</summary>
[Alias("mm.IGenerator")]
internal interface IGeneratorGrain : IStageGrain
{
    /// <summary>Begins an item, or says at once that there is no room.</summary>
    [Alias("Submit")]
    Task SubmitAsync(GenerateMessage message);

    /// <summary>The item, or none yet after a few seconds: ask again.</summary>
    [Alias("Result")]
    Task<GenerateReply> ResultAsync(string request, int item);

    /// <summary>These requests go on.</summary>
    [Alias("Renew")]
    Task RenewAsync(string[] requests);

    /// <summary>These requests have ended: what they hold here is freed.</summary>
    [Alias("Release")]
    Task ReleaseAsync(string[] requests);
}
