using MmCluster.Engine.TensorParallel;
using MmCluster.Models;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Cuda;

/// <summary>
/// Runs steps of one whole backbone on a GPU. One step stays queued behind the one that runs: its tokens go from the sampler to the next embedding without the host.
/// </summary>
public sealed class CudaExecutor : IRankExecutor
{
    // The step that runs and the one queued behind it.
    private const int Depth = 2;

    private readonly CudaStage _stage;
    private readonly StepFlight[] _flights;
    private int _first;
    private int _inFlight;
    private MmException? _lost;

    /// <summary>
    /// Creates an executor over a whole <paramref name="backbone"/>, whose weights are on <paramref name="device"/>; it stays the caller's and must outlive it. Takes the
    /// memory that is left for its KV cache, and records its graphs.
    /// </summary>
    /// <exception cref="ArgumentException">The backbone lacks layers, or the options leave no room for one block.</exception>
    public CudaExecutor(IBackbone backbone, Device device, ExecutorOptions options)
    {
        BackboneSpec spec = backbone.Spec;
        if (!spec.HoldsEmbedding || !spec.HoldsHead)
        {
            throw new ArgumentException($"cuda executor: the backbone holds layers {spec.FirstLayer} to {spec.EndLayer} of {spec.LayerCount}; all are needed");
        }
        _stage = new CudaStage(backbone, device, options, Depth);
        _flights = [.. Enumerable.Range(0, Depth).Select(_ => _stage.CreateFlight())];
    }

    /// <summary>Bytes of GPU memory by purpose: KV cache, graphs, steps.</summary>
    public CudaMemoryUse Memory => _stage.Memory;

    /// <inheritdoc/>
    public ExecutorDescription Describe() => _stage.Description with { PipelineDepth = Depth, RunsAhead = true };

    /// <inheritdoc/>
    public void Execute(in StepPlan plan, StepResult result)
    {
        result.Clear();
        if (_lost is not null)
        {
            throw _lost;
        }
        try
        {
            using CudaContext.StreamScope current = _stage.Context.Use(_stage.Stream);
            Answer(plan, result);
        }
        catch (Exception error)
        {
            throw Recover(error);
        }
    }

    /// <inheritdoc/>
    void IRankExecutor.Reset()
    {
        if (_lost is null)
        {
            using CudaContext.StreamScope current = _stage.Context.Use(_stage.Stream);
            _ = Recover(new InvalidOperationException("another rank has failed"));
            _stage.DropGraphs();
        }
    }

    /// <inheritdoc/>
    void IRankExecutor.Restore()
    {
        if (_lost is not null)
        {
            throw _lost;
        }
        using CudaContext.StreamScope current = _stage.Context.Use(_stage.Stream);
        _stage.RecordGraphs();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stage.Dispose();
        Array.ForEach(_flights, flight => flight.Dispose());
    }

    private void Answer(in StepPlan plan, StepResult result)
    {
        _stage.Launch(plan, _flights[(_first + _inFlight) % Depth]);
        if (plan.Chunks.Length > 0 && ++_inFlight < Depth)
        {
            return;
        }
        if (_inFlight > 0)
        {
            _flights[_first].Collect(result);
            _first = (_first + 1) % Depth;
            _inFlight--;
        }
    }

    // No plan in flight counts. Out of memory, the engine runs fewer sequences at once; a lost context loses the stage.
    private MmException Recover(Exception error)
    {
        _inFlight = 0;
        MmException told = _stage.Recover(error);
        _lost = _stage.Context.Lost.IsCompleted ? told : null;
        return told;
    }
}
