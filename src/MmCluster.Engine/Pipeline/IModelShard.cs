using MmCluster.Tensors;

namespace MmCluster.Engine.Pipeline;

/// <summary>
/// A run of a network's layers on one device, whatever the device: the part of an executor that computes. The first shard also embeds tokens and media, the last one
/// has head, sampler and each slot's token history; one that is both is a whole network. Not thread-safe: one caller, on one thread where the device wants that.
/// </summary>
/// <remarks>
/// Every shard is given every plan of its replica, in order, so slots and block tables are the same on all of them. Rows between shards are F32, in the host's memory or
/// on a GPU, as the channel has them; a shard whose weights are elsewhere copies them in and out by itself.
/// </remarks>
public interface IModelShard : IDisposable
{
    /// <summary>What this shard alone can hold. Constant.</summary>
    ExecutorDescription Describe();

    /// <summary>Which layers it has, and how wide its rows are. Constant.</summary>
    Models.Backbones.BackboneSpec Spec { get; }

    /// <summary>Where its rows cost least: its own device. It takes and gives them anywhere. Constant.</summary>
    Device RowsDevice => Device.Cpu;

    /// <summary>Runs one plan; one without chunks only changes slots. Call it outside any tensor scope.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="input">Rows [T, HiddenSize] of the shard before, read-only, and free again when this returns; null on the first shard, and where the plan has no chunks.</param>
    /// <param name="output">Where the rows [T, HiddenSize] for the next shard go, and are when this returns; null on the last shard, and where the plan has no chunks.</param>
    /// <param name="result">Takes what the last shard samples, and slots at fault; what is in it stays.</param>
    void Run(in StepPlan plan, Tensor? input, Tensor? output, StepResult result);

    /// <summary>
    /// Tells a first shard that is not the last what was sampled, so that it can embed it. Slots that a later plan has ended or filled anew are left alone.
    /// </summary>
    void Append(StepResult sampled);

    /// <summary>Drops all slots. What the KV blocks hold is worthless from here on.</summary>
    void Reset();
}
