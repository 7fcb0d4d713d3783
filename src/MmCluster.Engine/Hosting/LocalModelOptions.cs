using MmCluster.Engine.Encoders;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;

namespace MmCluster.Engine.Hosting;

/// <summary>How a <see cref="LocalModel"/> is loaded and run.</summary>
public sealed record LocalModelOptions
{
    /// <summary>Formats and parts of the weights.</summary>
    public LoadOptions Load { get; init; } = new();

    /// <summary>The model's topology; null makes it from the folder's config.json.</summary>
    public ModelCard? Card { get; init; }

    /// <summary>Scheduling. End-of-sequence ids and vocabulary are filled in from the folder.</summary>
    public EngineOptions Engine { get; init; } = new();

    /// <summary>Sizes of the executor; slots and positions a step follow <see cref="Engine"/>.</summary>
    public ExecutorOptions Executor { get; init; } = new();

    /// <summary>
    /// Pipeline shards that the backbone's layers are split over, threads of this process; 1, the default, keeps them together. The sizes of
    /// <see cref="Executor"/> are all shards' together.
    /// </summary>
    public int PipelineShards { get; init; } = 1;

    /// <summary>
    /// Tensor-parallel ranks that every layer of the backbone is split over, threads of this process with a GPU each; 1, the default, keeps layers whole. The sizes of
    /// <see cref="Executor"/> are all ranks' together, but its share of a GPU each rank's.
    /// </summary>
    public int TensorRanks { get; init; } = 1;

    /// <summary>Batching and caching of encoders.</summary>
    public EncoderOptions Encoders { get; init; } = new();

    /// <summary>The clock of deadlines.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
