using System.Text.Json.Serialization;
using MmCluster.Engine.Simulation;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Deployment;

/// <summary>How one model is run, as cluster.yaml says it.</summary>
[GenerateSerializer, Immutable, Alias("mm.ModelDeployment")]
public sealed record ModelDeployment
{
    /// <summary>The name of the backbone among <see cref="Components"/>, whatever the model's card calls it.</summary>
    public const string BackboneComponent = "backbone";

    /// <summary>The name that requests use: <c>[A-Za-z0-9._-]+</c>.</summary>
    [Id(0)]
    public required string Name { get; init; }

    /// <summary>What is loaded: a folder, a card's name, or ORG/NAME of a pulled model; every node must find it. Null for a simulated model.</summary>
    [Id(1)]
    public string? Source { get; init; }

    /// <summary>Runs no weights, but takes the time that this profile says; then <see cref="Source"/> is null.</summary>
    [Id(2)]
    public SimulationProfile? Simulation { get; init; }

    /// <summary>A label of the operator's: changing it rolls the model out anew, as when a folder's files were replaced. May be empty.</summary>
    [Id(3)]
    public string Revision { get; init; } = "";

    /// <summary>Format of the backbone's matrices: F32, BF16, Q8_0 or Q4_0; on a GPU also F16 and F8E4M3.</summary>
    [Id(4)]
    public DType Dtype { get; init; } = DType.BF16;

    /// <summary>Processes that share the backbone's layers. Default 1.</summary>
    [Id(5)]
    public int PipelineParallelSize { get; init; } = 1;

    /// <summary>
    /// Whether all stages of a replica live in one process. Null, the default, means yes while the cluster has one node for them and no afterwards.
    /// </summary>
    [Id(6)]
    public bool? Fused { get; init; }

    /// <summary>Limits of the engine and of the stages' queues.</summary>
    [Id(7)]
    public EngineLimits Limits { get; init; } = new();

    /// <summary>Replicas and devices by component: a name in the model's card, or <see cref="BackboneComponent"/>. What is not named has one replica anywhere.</summary>
    [Id(8)]
    public IReadOnlyDictionary<string, ComponentDeployment> Components { get; init; } = new Dictionary<string, ComponentDeployment>();

    /// <summary>
    /// Ranks that every layer of the backbone is split over, in one process: GPUs in a row from its device on, over NCCL, or threads on the processor. Null is 1; not
    /// beside a pipeline.
    /// </summary>
    [Id(9)]
    public int? TensorParallelSize { get; init; }

    /// <summary><see cref="TensorParallelSize"/>, or 1.</summary>
    public int TensorRanks => TensorParallelSize ?? 1;

    /// <summary>What is said of a component, or the default.</summary>
    public ComponentDeployment Component(string name) => Components.GetValueOrDefault(name) ?? new ComponentDeployment();

    /// <summary>Checks what can be checked without the model's files.</summary>
    /// <exception cref="MmException">InvalidArgument, naming the key.</exception>
    public void Check() => DeploymentChecks.Check(this);
}

/// <summary>Replicas and place of a component.</summary>
[GenerateSerializer, Immutable, Alias("mm.ComponentDeployment")]
public sealed record ComponentDeployment
{
    /// <summary>Replicas that it starts with and at least has. Default 1.</summary>
    [Id(0)]
    public int MinReplicas { get; init; } = 1;

    /// <summary>Replicas at most; null means as many as asked for.</summary>
    [Id(1)]
    public int? MaxReplicas { get; init; }

    /// <summary>Device that a replica needs: "cpu" (default), "cuda" (any GPU) or "cuda:1".</summary>
    [Id(2)]
    public string Device { get; init; } = "cpu";

    /// <summary>Nodes of this <c>mm.role</c> only; null takes any that runs stages.</summary>
    [Id(3)]
    public string? Role { get; init; }

    /// <summary>Nodes of this <c>mm.zone</c> only; null takes any.</summary>
    [Id(4)]
    public string? Zone { get; init; }
}

/// <summary>Limits of a model's engine and queues; names follow vLLM's flags.</summary>
[GenerateSerializer, Immutable, Alias("mm.EngineLimits")]
public sealed record EngineLimits
{
    /// <summary>Sequences computed in one step at most. Default 256.</summary>
    [Id(0)]
    public int MaxNumSeqs { get; init; } = 256;

    /// <summary>Positions computed in one step at most. Default 2,048.</summary>
    [Id(1)]
    public int MaxNumBatchedTokens { get; init; } = 2048;

    /// <summary>Longest sequence; null takes the model's.</summary>
    [Id(2)]
    public int? MaxModelLength { get; init; }

    /// <summary>Cost units (a choice is 1, a media item 1) that a replica of a stage accepts at once. Default 64.</summary>
    [Id(3)]
    public int MaxQueue { get; init; } = 64;

    /// <summary>Bytes of the KV cache; null takes a size that fits the model.</summary>
    [Id(4)]
    public long? KvCacheMemoryBytes { get; init; }

    /// <summary>Whether full KV blocks are found again by content. Default true.</summary>
    [Id(5)]
    public bool EnablePrefixCaching { get; init; } = true;

    /// <summary>Whether tenants find each other's blocks and features. Default false.</summary>
    [Id(6)]
    public bool SharePrefixesAcrossTenants { get; init; }

    /// <summary>Draft tokens a step by prompt lookup. Default 0, off.</summary>
    [Id(7)]
    public int SpeculativeTokens { get; init; }

    /// <summary>How keys and values are kept: F32, F16, BF16 or Q8_0, as the device allows; null takes the device's default.</summary>
    [Id(8)]
    public DType? KvCacheDtype { get; init; }

    /// <summary>Share of a GPU's memory that may be taken when the KV cache has its size; null takes 0.9. Not of what <see cref="KvCacheMemoryBytes"/> says.</summary>
    [Id(9), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] // what is not said makes no new revision
    public double? GpuMemoryUtilization { get; init; }
}
