using MmCluster.Engine.Cpu;
using MmCluster.Models;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Engine.Cuda;

/// <summary>
/// Runs steps of one backbone on a GPU. Prompts and mixed steps are launched kernel by kernel; steps of one token a sequence replay a CUDA graph. One step stays queued
/// behind the one that runs: its tokens go from the sampler to the next embedding without the host. All work of a step is on one stream.
/// </summary>
public sealed class CudaExecutor : IModelExecutor
{
    // The step that runs and the one queued behind it.
    private const int Depth = 2;

    private readonly CudaContext _context;
    private readonly CudaStream _stream;
    private readonly CudaNetwork _network;
    private readonly CudaSampler _sampler;
    private readonly ExecutorDescription _description;
    private readonly CpuSlot?[] _slots;
    private readonly StepBuffer _steps;
    private readonly SampleOutputs _outputs;
    private readonly DecodeGraphs? _graphs;
    private readonly StepFlight[] _flights;
    private SampleOutputs? _manyOutputs;
    private int _first;
    private int _inFlight;
    private MmException? _lost;

    /// <summary>
    /// Creates an executor over a whole <paramref name="backbone"/>, whose weights are on <paramref name="device"/>; it stays the caller's and must outlive it. Takes the
    /// memory that is left for its KV cache, and records its graphs.
    /// </summary>
    /// <exception cref="ArgumentException">The backbone lacks layers, or the options leave no room for one sequence.</exception>
    /// <exception cref="NotSupportedException">A network that attends to a second memory.</exception>
    public CudaExecutor(IBackbone backbone, Device device, ExecutorOptions options)
    {
        BackboneSpec spec = backbone.Spec;
        if (!spec.HoldsEmbedding || !spec.HoldsHead)
        {
            throw new ArgumentException($"cuda executor: the backbone holds layers {spec.FirstLayer} to {spec.EndLayer} of {spec.LayerCount}; all are needed");
        }
        if (backbone is ICrossBackbone)
        {
            throw new NotSupportedException($"cuda executor: backbones of kind {spec.Kind} run on the processor only so far");
        }
        _context = CudaContext.Get(device.Index);
        _context.Deterministic = options.Deterministic;
        _context.Synchronize(); // weights came on other streams
        _stream = new CudaStream(_context, highPriority: true);
        using CudaContext.StreamScope current = _context.Use(_stream);
        _sampler = new CudaSampler(_context, device, options.MaxSlots, spec.VocabularySize);
        _steps = new StepBuffer(_context, device, Depth);
        _outputs = new SampleOutputs(device, options.MaxSlots, _sampler.MaxTop);
        _flights = [.. Enumerable.Range(0, Depth).Select(_ => new StepFlight(_context, _sampler.MaxTop))];
        _slots = new CpuSlot?[options.MaxSlots];
        _network = new CudaNetwork(backbone, _sampler, device);
        CudaCapacity capacity = new(_context, _network, backbone.Spec, options);
        _description = capacity.Measure(_outputs);
        _network.Kv = capacity.CreateKv(_description.BlockCount);
        _graphs = options.EnforceEager ? null : new DecodeGraphs(_context, _stream, _network, device, _description, _outputs, Depth);
        _stream.Synchronize();
    }

    /// <summary>Bytes of GPU memory by purpose: KV cache, graphs, step buffers.</summary>
    public CudaMemoryUse Memory => new(_description.BlockBytes * _description.BlockCount, _graphs?.Bytes ?? 0);

    /// <inheritdoc/>
    public ExecutorDescription Describe() => _description;

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
            using CudaContext.StreamScope current = _context.Use(_stream);
            Answer(plan, result);
        }
        catch (Exception error)
        {
            throw Recover(error);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_lost is not null)
        {
            return; // the context is gone, and with it all of its memory
        }
        using (_context.Use(_stream))
        {
            _stream.Synchronize();
            _graphs?.Dispose();
            _network.Dispose();
            _sampler.Dispose();
            _steps.Dispose();
            _outputs.Dispose();
            _manyOutputs?.Dispose();
            Array.ForEach(_flights, flight => flight.Dispose());
        }
        _stream.Dispose();
    }

    private void Answer(in StepPlan plan, StepResult result)
    {
        Apply(plan);
        if (plan.Chunks.Length > 0)
        {
            Launch(plan);
            if (_inFlight < _description.PipelineDepth)
            {
                return;
            }
        }
        else if (plan.Starts.Length > 0)
        {
            LaunchStarts(plan);
        }
        if (_inFlight > 0)
        {
            _flights[_first].Collect(result);
            _first = (_first + 1) % Depth;
            _inFlight--;
        }
    }

    private void Apply(in StepPlan plan)
    {
        foreach (int slot in plan.Ends.Span)
        {
            _slots[slot] = null;
            _sampler.Release(slot);
        }
        foreach (SlotStart start in plan.Starts.Span)
        {
            if (_slots[start.Slot] is not null)
            {
                throw new InvalidOperationException($"slot {start.Slot} is in use");
            }
            _slots[start.Slot] = new CpuSlot(start, plan.Step, _description.MaxModelLength);
        }
        foreach (BlockCopy copy in plan.Copies.Span)
        {
            _network.CopyBlock(copy.Source, copy.Target);
        }
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            CpuSlot slot = _slots[chunk.Slot] ?? throw new InvalidOperationException($"slot {chunk.Slot} is empty");
            slot.AddBlocks(plan.Blocks.Span.Slice(chunk.BlockOffset, chunk.BlockCount));
        }
    }

    private void Launch(in StepPlan plan)
    {
        StepFlight flight = _flights[(_first + _inFlight) % Depth];
        flight.Begin(plan.Step);
        if (_graphs is null || !_graphs.TryRun(plan, _slots, flight))
        {
            LaunchEagerly(plan, flight);
        }
        _inFlight++;
    }

    private void LaunchEagerly(in StepPlan plan, StepFlight flight)
    {
        StepLayout layout = StepWriter.Layout(plan, _slots, _network.PrefixLm, least: 1);
        int starts = layout.Words + StepWriter.TailWords(plan);
        int words = starts + StartWords(plan);
        Span<int> buffer = _steps.Begin(words);
        StepWriter.Write(plan, _slots, layout, _network.PrefixLm, buffer, flight);
        WriteStarts(plan, buffer, starts);
        _steps.Upload(_stream, words);
        BeginSlots(plan, starts);
        SampleOutputs outputs = OutputsFor(layout.SampledCount);
        _network.Run(_stream, layout, _steps.Words, outputs, new MediaPlacement(plan, _slots, flight, _stream));
        flight.Fetch(_stream, outputs);
    }

    private void LaunchStarts(in StepPlan plan)
    {
        int words = StartWords(plan);
        WriteStarts(plan, _steps.Begin(words), 0);
        _steps.Upload(_stream, words);
        BeginSlots(plan, 0);
    }

    // Speculation samples several rows a sequence; there may be more of them than slots.
    private SampleOutputs OutputsFor(int rows)
    {
        if (rows <= _outputs.Rows)
        {
            return _outputs;
        }
        if (_manyOutputs is null || _manyOutputs.Rows < rows)
        {
            _manyOutputs?.Dispose();
            _manyOutputs = new SampleOutputs(_network.Device, 2 * rows, _sampler.MaxTop);
        }
        return _manyOutputs;
    }

    private static int StartWords(in StepPlan plan)
    {
        int words = plan.Starts.Length;
        foreach (SlotStart start in plan.Starts.Span)
        {
            words += CudaSampler.StartWords(start);
        }
        return words;
    }

    // Offsets of the starts, then the starts.
    private void WriteStarts(in StepPlan plan, Span<int> words, int at)
    {
        int next = at + plan.Starts.Length;
        foreach (SlotStart start in plan.Starts.Span)
        {
            words[at++] = next;
            int length = CudaSampler.StartWords(start);
            _sampler.WriteStart(start, words.Slice(next, length));
            next += length;
        }
    }

    private void BeginSlots(in StepPlan plan, int offsets)
    {
        if (plan.Starts.Length > 0)
        {
            _sampler.Begin(_stream, _steps.Words, offsets, plan.Starts.Length);
        }
    }

    // No plan in flight counts. Out of memory, the engine runs fewer sequences at once; a lost context loses the stage.
    private Exception Recover(Exception error)
    {
        Array.Clear(_slots);
        _inFlight = 0;
        if (error is CudaException { IsSticky: true })
        {
            return _lost = new MmException(
                MmErrorCode.Unavailable, $"{_network.Device} is lost to this process, which has to be restarted: {error.Message}", error);
        }
        try
        {
            _stream.Synchronize();
        }
        catch (CudaException sticky)
        {
            return Recover(sticky);
        }
        return error is InsufficientMemoryException
            ? new MmException(MmErrorCode.ResourceExhausted, $"{error.Message}; lower --max-num-batched-tokens or --gpu-memory-utilization", error)
            : error;
    }
}

/// <summary>GPU memory of an executor.</summary>
/// <param name="KvCacheBytes">Keys and values.</param>
/// <param name="GraphBytes">CUDA graphs and what they work on.</param>
public readonly record struct CudaMemoryUse(long KvCacheBytes, long GraphBytes);
