using System.CommandLine;
using MmCluster.Engine;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Cli.Commands;

/// <summary>The options that say where and in which format a model's weights are, the same on every command that loads some.</summary>
/// <param name="dtype">The default of <c>--dtype</c>.</param>
internal sealed class LoadingOptions(string dtype = "bf16")
{
    private readonly Option<string> _dtype = DTypeOption.Create(dtype);
    private readonly Option<string> _format = Format();
    private readonly Option<int> _threads = ThreadsOption.Create();
    private readonly Option<string> _device = DeviceOption.Create();

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

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_dtype, _format, _threads, _device, _kvBytes, _kvDType, _gpuShare, _eager, _deterministic, _shards, _ranks])
        {
            command.Add(option);
        }
    }

    /// <summary>What was written for <c>--dtype</c>.</summary>
    public string DType(ParseResult parsed) => parsed.GetRequiredValue(_dtype);

    /// <summary>What was written for <c>--kv-cache-dtype</c>.</summary>
    public string KvDType(ParseResult parsed) => parsed.GetRequiredValue(_kvDType);

    /// <summary>Pipeline shards of the language model.</summary>
    public int PipelineShards(ParseResult parsed) => parsed.GetValue(_shards);

    /// <summary>Tensor-parallel ranks of the language model.</summary>
    public int TensorRanks(ParseResult parsed) => parsed.GetValue(_ranks);

    /// <summary>Sets the size of the compute pool.</summary>
    public void ApplyThreads(ParseResult parsed) => Device.Cpu.Threads = parsed.GetValue(_threads);

    /// <summary>Where and how weights are loaded; also sets the size of the compute pool.</summary>
    public LoadOptions Load(ParseResult parsed)
    {
        ApplyThreads(parsed);
        return new LoadOptions
        {
            Backbone = DTypeOption.Parse(DType(parsed)),
            Device = Device.Parse(parsed.GetRequiredValue(_device)),
            Format = parsed.GetValue(_format) == "dummy" ? LoadFormat.Dummy : LoadFormat.Auto,
        };
    }

    /// <summary>How the executor uses its device; its sizes are the command's.</summary>
    public ExecutorOptions Executor(ParseResult parsed) => new()
    {
        KvCacheBytes = parsed.GetValue(_kvBytes),
        KvCacheDType = KvCacheDTypeOption.Parse(KvDType(parsed)),
        GpuMemoryUtilization = parsed.GetValue(_gpuShare),
        EnforceEager = parsed.GetValue(_eager),
        Deterministic = parsed.GetValue(_deterministic),
    };

    private static Option<string> Format()
    {
        var option = new Option<string>("--load-format")
        {
            Description = "auto reads the checkpoint; dummy makes weights up from config.json alone, for measuring speed.",
            DefaultValueFactory = _ => "auto",
        };
        option.AcceptOnlyFromAmong("auto", "dummy");
        return option;
    }
}
