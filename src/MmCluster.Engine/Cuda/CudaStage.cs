using MmCluster.Engine.Cpu;
using MmCluster.Models;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Engine.Cuda;

/// <summary>
/// The layers of a backbone that one GPU has, with their keys and values, their slots and their stream: what an executor and a pipeline shard have in common. Prompts
/// and mixed steps are launched kernel by kernel; steps of one token a sequence replay a CUDA graph. Not thread-safe: one caller.
/// </summary>
internal sealed class CudaStage : IDisposable
{
    private readonly CudaSampler? _sampler;
    private readonly CpuSlot?[] _slots;
    private readonly StepBuffer _steps;
    private readonly SampleOutputs? _outputs;
    private readonly StepWriter _writer;
    private readonly SlotMemories? _remembered;
    private readonly bool _eager;
    private readonly int _depth;
    private DecodeGraphs? _graphs;
    private SampleOutputs? _manyOutputs;

    /// <summary>Takes the memory that is left for the KV cache, and records graphs.</summary>
    /// <param name="backbone">The layers; their weights are on <paramref name="device"/>.</param>
    /// <param name="device">The GPU.</param>
    /// <param name="options">Sizes.</param>
    /// <param name="depth">Steps in flight at most.</param>
    /// <exception cref="ArgumentException">The options leave no room for one block, or a network cannot be cut.</exception>
    public CudaStage(IBackbone backbone, Device device, ExecutorOptions options, int depth)
    {
        ICrossBackbone? cross = backbone as ICrossBackbone;
        if (cross is not null && !(backbone.Spec.HoldsEmbedding && backbone.Spec.HoldsHead))
        {
            throw new ArgumentException($"pipeline: a network of kind {backbone.Spec.Kind} cannot be cut: every layer of it attends to a memory that one shard makes");
        }
        Context = CudaContext.Get(device.Index);
        Context.Synchronize(); // weights came on other streams
        (_eager, _depth) = (options.EnforceEager, depth);
        Stream = new CudaStream(Context, highPriority: true) { Deterministic = options.Deterministic };
        using CudaContext.StreamScope current = Context.Use(Stream);
        _steps = new StepBuffer(Context, device, depth);
        _slots = new CpuSlot?[options.MaxSlots];
        try
        {
            if (backbone.Spec.HoldsHead)
            {
                _sampler = new CudaSampler(Context, device, options.MaxSlots, backbone.Spec.VocabularySize);
                _outputs = new SampleOutputs(device, options.MaxSlots, _sampler.MaxTop);
            }
            Network = new CudaNetwork(backbone, _sampler, device, options);
            CudaCapacity capacity = new(Context, Network, backbone, options);
            Description = capacity.Measure(_outputs);
            Network.Kv = capacity.CreateKv(Description.BlockCount);
            Network.Memories = capacity.CreateMemories(Description.MaxSlots);
            _remembered = cross is null ? null : new SlotMemories(cross, Network.Memories!, _slots, device);
            _writer = new StepWriter(_slots, Network.Needs, Network.Memories);
            RecordGraphs();
            Stream.Synchronize();
            long cache = (Description.BlockBytes * Description.BlockCount) + (capacity.MemoryBytes * Description.MaxSlots);
            Memory = new CudaMemoryUse(cache, _graphs?.Bytes ?? 0, capacity.StepBytes, Stream.AllocatedBytes - cache);
        }
        catch
        {
            Dispose(); // whoever could not be loaded leaves nothing behind
            throw;
        }
    }

    public CudaContext Context { get; }

    public CudaStream Stream { get; }

    public CudaNetwork Network { get; }

    /// <summary>What it can hold, as one that answers every step at once.</summary>
    public ExecutorDescription Description { get; }

    /// <summary>Bytes of GPU memory by purpose.</summary>
    public CudaMemoryUse Memory { get; }

    /// <summary>A flight for its steps.</summary>
    public StepFlight CreateFlight() => new(Context, _sampler?.MaxTop ?? 0);

    /// <summary>The sequence in a slot, or null.</summary>
    public CpuSlot? this[int slot] => _slots[slot];

    /// <summary>Drops all slots.</summary>
    public void Reset()
    {
        Array.Clear(_slots);
        Network.Memories?.Reset();
    }

    /// <summary>Queues a plan: slots, copies, and its chunks if it has any. The calling thread's stream is the stage's.</summary>
    public void Launch(in StepPlan plan, StepFlight flight)
    {
        Apply(plan);
        flight.Begin(plan.Step);
        Remember(plan, flight);
        if (plan.Chunks.Length == 0)
        {
            LaunchStarts(plan);
        }
        else if (_graphs is null || !_graphs.TryRun(plan, _slots, flight))
        {
            LaunchEagerly(plan, flight);
        }
    }

    /// <summary>Gives the graphs up: what they call is gone. Nothing of them runs.</summary>
    public void DropGraphs()
    {
        _graphs?.Dispose();
        _graphs = null;
    }

    /// <summary>Records the graphs, on the stage's stream.</summary>
    public void RecordGraphs() => _graphs = _eager ? null : new DecodeGraphs(Context, Stream, Network, _writer, Description, _outputs, _depth);

    /// <summary>After an exception of a step: empties all slots, waits until the GPU has nothing of them left, and says what happened in words of the engine.</summary>
    public MmException Recover(Exception error)
    {
        Reset();
        try
        {
            if (!Context.Lost.IsCompleted)
            {
                Stream.Synchronize();
            }
        }
        catch (CudaException sticky)
        {
            error = sticky;
        }
        if (Context.Lost is { IsCompletedSuccessfully: true } lost)
        {
            return new MmException(MmErrorCode.Unavailable, $"{Network.Device} is lost to this process, which has to be restarted: {lost.GetAwaiter().GetResult().Message}", error);
        }
        return error is InsufficientMemoryException or CudaException { Result: CudaResult.OutOfMemory }
            ? new MmException(
                MmErrorCode.ResourceExhausted,
                $"{error.Message}; lower --gpu-memory-utilization, which leaves more beside the KV cache, or --max-num-batched-tokens or --max-num-seqs", error)
            : MmException.From(error);
    }

    public void Dispose()
    {
        if (Context.Lost.IsCompleted)
        {
            return; // with all of its memory
        }
        using (Context.Use(Stream))
        {
            Stream.Synchronize();
            _graphs?.Dispose();
            Network?.Dispose();
            _sampler?.Dispose();
            _steps.Dispose();
            _outputs?.Dispose();
            _manyOutputs?.Dispose();
        }
        Stream.Dispose();
    }

    private void Apply(in StepPlan plan)
    {
        foreach (int slot in plan.Ends.Span)
        {
            _slots[slot]?.Memory?.Release();
            _slots[slot] = null;
            _sampler?.Release(slot);
        }
        foreach (SlotStart start in plan.Starts.Span)
        {
            if (_slots[start.Slot] is not null)
            {
                throw new InvalidOperationException($"slot {start.Slot} is in use");
            }
            _slots[start.Slot] = new CpuSlot(start, plan.Step, Network.HoldsEmbedding ? Description.MaxModelLength : 0);
        }
        foreach (BlockCopy copy in plan.Copies.Span)
        {
            Network.CopyBlock(copy.Source, copy.Target);
        }
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            CpuSlot slot = _slots[chunk.Slot] ?? throw new InvalidOperationException($"slot {chunk.Slot} is empty");
            slot.AddBlocks(plan.Blocks.Span.Slice(chunk.BlockOffset, chunk.BlockCount));
        }
    }

    // Queued before the step: an encoder runs once a request, whatever way the step itself takes.
    private void Remember(in StepPlan plan, StepFlight flight)
    {
        if (_remembered is not null)
        {
            using var scope = new TensorScope(recycle: true);
            _remembered.Remember(plan, flight);
        }
    }

    private void LaunchEagerly(in StepPlan plan, StepFlight flight)
    {
        StepLayout layout = _writer.Layout(plan, least: 1);
        int starts = layout.Words + StepWriter.TailWords(plan);
        int words = starts + StartWords(plan);
        Span<int> buffer = _steps.Begin(words);
        _writer.Write(plan, layout, buffer, flight);
        WriteStarts(plan, buffer, starts);
        _steps.Upload(Stream, words);
        BeginSlots(plan, starts);
        SampleOutputs? outputs = OutputsFor(layout.SampledCount);
        Network.Run(Stream, layout, _steps.Words, outputs, new MediaPlacement(plan, _slots, flight));
        flight.Fetch(Stream, outputs);
    }

    private void LaunchStarts(in StepPlan plan)
    {
        int words = StartWords(plan);
        if (words > 0)
        {
            WriteStarts(plan, _steps.Begin(words), 0);
            _steps.Upload(Stream, words);
            BeginSlots(plan, 0);
        }
    }

    // Speculation samples several rows a sequence; there may be more of them than slots.
    private SampleOutputs? OutputsFor(int rows)
    {
        if (_outputs is null || rows <= _outputs.Rows)
        {
            return _outputs;
        }
        if (_manyOutputs is null || _manyOutputs.Rows < rows)
        {
            _manyOutputs?.Dispose();
            _manyOutputs = new SampleOutputs(Network.Device, 2 * rows, _sampler!.MaxTop);
        }
        return _manyOutputs;
    }

    private int StartWords(in StepPlan plan)
    {
        if (_sampler is null)
        {
            return 0;
        }
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
        if (_sampler is null)
        {
            return;
        }
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
            _sampler?.Begin(Stream, _steps.Words, offsets, plan.Starts.Length);
        }
    }
}

/// <summary>GPU memory of an executor.</summary>
/// <param name="KvCacheBytes">Keys and values, those of memories included.</param>
/// <param name="GraphBytes">CUDA graphs and what they work on.</param>
/// <param name="StepBytes">What the largest step takes while it runs.</param>
/// <param name="BufferBytes">What steps are written to and sampled into, and libraries' and kernels' scratch memory.</param>
public readonly record struct CudaMemoryUse(long KvCacheBytes, long GraphBytes, long StepBytes, long BufferBytes)
{
    /// <summary>All of it; weights are not the executor's.</summary>
    public long Total => KvCacheBytes + GraphBytes + StepBytes + BufferBytes;
}
