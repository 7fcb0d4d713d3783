using System.CommandLine;
using MmCluster.Engine;

namespace MmCluster.Cli.Commands;

/// <summary>The options that say how a model is loaded and run, the same on every command that generates with one.</summary>
/// <param name="dtype">The default of <c>--dtype</c>.</param>
internal sealed class LoadingOptions(string dtype = "bf16")
{
    private readonly Option<long?> _kvBytes = NumberOptions.BytesOrNone(
        "--kv-cache-memory-bytes", "Memory of the KV cache; default: what --max-num-seqs longest sequences need, at most 40 % of the machine's, or what a GPU has left.");

    private readonly Option<string> _kvDType = KvCacheDTypeOption.Create();

    private readonly Option<double> _gpuShare = NumberOptions.Part(
        "--gpu-memory-utilization", 0.9, "Share of a GPU's memory for weights, activations and KV cache.");

    private readonly Option<bool> _eager = new("--enforce-eager") { Description = "Launch a GPU's kernels one by one, without CUDA graphs." };
    private readonly Option<bool> _deterministic = new("--deterministic") { Description = "Results on a GPU do not depend on what else is in a step." };

    private readonly Option<int> _shards = NumberOptions.Positive(
        "--pipeline-parallel-size", 1, "Pipeline shards that the language model's layers are split over, threads of this process.");

    private readonly Option<int> _ranks = NumberOptions.Positive(
        "--tensor-parallel-size", 1, "Ranks that every layer of the language model is split over: GPUs from --device on, over NCCL; threads on a processor.");

    /// <summary>Those of the weights.</summary>
    public WeightOptions Weights { get; } = new(dtype);

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [.. Weights.All, _kvBytes, _kvDType, _gpuShare, _eager, _deterministic, _shards, _ranks];

    /// <summary>What was written for <c>--kv-cache-dtype</c>.</summary>
    public string KvDType(ParseResult parsed) => parsed.GetRequiredValue(_kvDType);

    /// <summary>Pipeline shards of the language model.</summary>
    public int PipelineShards(ParseResult parsed) => parsed.GetValue(_shards);

    /// <summary>Tensor-parallel ranks of the language model.</summary>
    public int TensorRanks(ParseResult parsed) => parsed.GetValue(_ranks);

    /// <summary>How the executor uses its device; its sizes are the command's.</summary>
    public ExecutorOptions Executor(ParseResult parsed) => new()
    {
        KvCacheBytes = parsed.GetValue(_kvBytes),
        KvCacheDType = KvCacheDTypeOption.Parse(KvDType(parsed)),
        GpuMemoryUtilization = parsed.GetValue(_gpuShare),
        EnforceEager = parsed.GetValue(_eager),
        Deterministic = parsed.GetValue(_deterministic),
    };
}
