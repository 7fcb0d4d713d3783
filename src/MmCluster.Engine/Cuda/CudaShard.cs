using MmCluster.Engine.Pipeline;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Cuda;

/// <summary>
/// Layers of one backbone on a GPU, as a pipeline shard: rows come from and go to wherever the channel has them, best on a GPU. A step is done when <see cref="Run"/>
/// returns: no GPU ever waits for another one, so a shard that dies leaves none hanging.
/// </summary>
public sealed class CudaShard : IModelShard
{
    private readonly CudaStage _stage;
    private readonly StepFlight _flight;

    /// <summary>
    /// Creates a shard over the layers that <paramref name="backbone"/> holds, whose weights are on <paramref name="device"/>; it stays the caller's and must outlive
    /// the shard.
    /// </summary>
    /// <exception cref="ArgumentException">The options leave no room for one block, or the network cannot be cut.</exception>
    public CudaShard(IBackbone backbone, Device device, ExecutorOptions options)
    {
        Spec = backbone.Spec;
        _stage = new CudaStage(backbone, device, options, depth: 1);
        _flight = _stage.CreateFlight();
    }

    /// <inheritdoc/>
    public BackboneSpec Spec { get; }

    /// <inheritdoc/>
    public Device RowsDevice => _stage.Network.Device;

    /// <summary>Bytes of GPU memory by purpose: KV cache, graphs, steps.</summary>
    public CudaMemoryUse Memory => _stage.Memory;

    /// <inheritdoc/>
    public ExecutorDescription Describe() => _stage.Description;

    /// <inheritdoc/>
    public void Run(in StepPlan plan, Tensor? input, Tensor? output, StepResult result)
    {
        try
        {
            RunOnce(plan, input, output, result);
        }
        catch (Exception error)
        {
            throw _stage.Recover(error);
        }
    }

    /// <inheritdoc/>
    public void Append(StepResult sampled)
    {
        foreach (SampledChunk chunk in sampled.Chunks)
        {
            if (_stage[chunk.Slot] is { } slot && slot.StartedAt <= sampled.Step)
            {
                for (int i = 0; i < chunk.TokenCount; i++)
                {
                    slot.Append(sampled.Tokens[chunk.TokenOffset + i].Id);
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Reset() => _stage.Reset();

    /// <inheritdoc/>
    public void Dispose()
    {
        _stage.Dispose();
        _flight.Dispose();
    }

    private void RunOnce(in StepPlan plan, Tensor? input, Tensor? output, StepResult result)
    {
        using CudaContext.StreamScope current = _stage.Context.Use(_stage.Stream);
        if (input is not null)
        {
            _stage.Network.TakeRows(_stage.Stream, input);
        }
        _stage.Launch(plan, _flight);
        if (plan.Chunks.Length > 0)
        {
            if (output is not null)
            {
                _stage.Network.GiveRows(_stage.Stream, output);
            }
            _flight.Collect(result);
        }
    }
}
