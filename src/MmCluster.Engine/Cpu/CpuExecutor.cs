using MmCluster.Engine.TensorParallel;
using MmCluster.Models.Backbones;

namespace MmCluster.Engine.Cpu;

/// <summary>
/// Runs steps of one whole backbone on the processor: a <see cref="CpuShard"/> that has all layers. Outputs are bit-equal alone, batched, chunked, preempted, from a
/// cached prefix and after replay.
/// </summary>
public sealed class CpuExecutor : IRankExecutor
{
    private readonly CpuShard _shard;

    /// <summary>Creates an executor over a whole <paramref name="backbone"/>, which stays the caller's and must outlive it.</summary>
    /// <exception cref="ArgumentException">
    /// The backbone lacks layers, or the options leave no room for one sequence, or ask for another KV type than F32, BF16 and Q8_0.
    /// </exception>
    public CpuExecutor(IBackbone backbone, ExecutorOptions options)
    {
        BackboneSpec spec = backbone.Spec;
        if (!spec.HoldsEmbedding || !spec.HoldsHead)
        {
            throw new ArgumentException($"cpu executor: the backbone holds layers {spec.FirstLayer} to {spec.EndLayer} of {spec.LayerCount}; all are needed");
        }
        _shard = new CpuShard(backbone, options);
    }

    /// <summary>Called with a sampled position's raw logits (slot, length of its sequence, row), for tests that compare bits.</summary>
    internal Action<SlotStart, int, float[]>? LogitsSeen
    {
        get => _shard.LogitsSeen;
        set => _shard.LogitsSeen = value;
    }

    /// <inheritdoc/>
    public ExecutorDescription Describe() => _shard.Describe();

    /// <inheritdoc/>
    public void Execute(in StepPlan plan, StepResult result)
    {
        result.Clear();
        try
        {
            _shard.Run(plan, input: null, output: null, result);
        }
        catch
        {
            _shard.Reset();
            throw;
        }
        if (plan.Chunks.Length > 0)
        {
            result.Step = plan.Step;
        }
    }

    /// <inheritdoc/>
    void IRankExecutor.Reset() => _shard.Reset();

    /// <inheritdoc/>
    void IRankExecutor.Restore()
    {
        // Nothing is recorded on a processor.
    }

    /// <inheritdoc/>
    public void Dispose() => _shard.Dispose();
}
