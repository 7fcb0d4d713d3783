using System.Text.RegularExpressions;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Deployment;

/// <summary>What a deployment must satisfy, whatever its model.</summary>
internal static partial class DeploymentChecks
{
    public static void Check(ModelDeployment deployment)
    {
        Need(NamePattern().IsMatch(deployment.Name), "name", $"'{deployment.Name}' is no model name: letters, digits, '.', '_' and '-' only");
        Need((deployment.Source is null) != (deployment.Simulation is null), "source", "either a source or a simulation profile is needed");
        bool onGpu = deployment.Component(ModelDeployment.BackboneComponent).Device.StartsWith("cuda", StringComparison.Ordinal);
        Need(
            deployment.Dtype is DType.F32 or DType.BF16 or DType.Q8_0 or DType.Q4_0 || (onGpu && deployment.Dtype is DType.F16 or DType.F8E4M3), "dtype",
            $"{deployment.Dtype} is no format of weights here: F32, BF16, Q8_0 or Q4_0, and of a backbone on a GPU F16 or F8E4M3");
        Need(deployment.PipelineParallelSize is >= 1 and <= 64, "pipeline_parallel_size", $"{deployment.PipelineParallelSize} is not between 1 and 64");
        Need(deployment.TensorRanks is >= 1 and <= 64, "tensor_parallel_size", $"{deployment.TensorRanks} is not between 1 and 64");
        Need(
            deployment.TensorRanks == 1 || deployment.PipelineParallelSize == 1, "tensor_parallel_size",
            $"{deployment.TensorRanks} beside a pipeline_parallel_size of {deployment.PipelineParallelSize}: one of them must be 1");
        Need(NamePattern().IsMatch($"r{deployment.Revision}"), "revision", $"'{deployment.Revision}' is no label: letters, digits, '.', '_' and '-' only");
        EngineLimits limits = deployment.Limits;
        Need(limits.MaxNumSeqs is >= 1 and <= 65_536, "max_num_seqs", $"{limits.MaxNumSeqs} is not between 1 and 65536");
        Need(
            limits.MaxNumBatchedTokens >= limits.MaxNumSeqs && limits.MaxNumBatchedTokens <= 1 << 24, "max_num_batched_tokens",
            $"{limits.MaxNumBatchedTokens} is not between max_num_seqs ({limits.MaxNumSeqs}) and {1 << 24}");
        Need(limits.MaxModelLength is null or >= 2, "max_model_len", "at least 2 is needed");
        Need(limits.MaxQueue >= 1, "max_queue", "at least 1 is needed");
        Need(limits.KvCacheMemoryBytes is null or > 0, "kv_cache_memory_bytes", "it must be above 0");
        Need(
            limits.GpuMemoryUtilization is null or (> 0 and <= 1), "gpu_memory_utilization",
            $"{limits.GpuMemoryUtilization} is not above 0 and at most 1");
        Need(
            limits.KvCacheDtype is null or DType.F32 or DType.BF16 or DType.Q8_0 || (onGpu && limits.KvCacheDtype is DType.F16), "kv_cache_dtype",
            $"{limits.KvCacheDtype} is no format of keys and values here: F32, BF16 or Q8_0, and of a backbone on a GPU F16");
        Need(limits.SpeculativeTokens is >= 0 and <= 64, "speculative_tokens", $"{limits.SpeculativeTokens} is not between 0 and 64");
        foreach ((string name, ComponentDeployment component) in deployment.Components)
        {
            Need(component.MinReplicas is >= 1 and <= 1024, $"components.{name}.replicas", $"{component.MinReplicas} is not between 1 and 1024");
            Need(
                component.MaxReplicas is null || component.MaxReplicas >= component.MinReplicas, $"components.{name}.replicas",
                $"at most {component.MaxReplicas} is fewer than at least {component.MinReplicas}");
            Need(DevicePattern().IsMatch(component.Device), $"components.{name}.device", $"'{component.Device}' is no device: cpu, cuda or cuda:N");
        }
    }

    private static void Need(bool holds, string key, string otherwise)
    {
        if (!holds)
        {
            throw new MmException(MmErrorCode.InvalidArgument, $"{key}: {otherwise}") { Param = key };
        }
    }

    [GeneratedRegex("^[A-Za-z0-9._-]{1,200}$")]
    private static partial Regex NamePattern();

    [GeneratedRegex("^(cpu|cuda(:[0-9]{1,3})?)$")]
    private static partial Regex DevicePattern();
}
