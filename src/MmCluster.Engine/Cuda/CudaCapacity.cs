using MmCluster.Engine.Cpu;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Cuda;

/// <summary>
/// How much a GPU can hold: its share of memory, less what is taken, what the largest step needs (found by running one) and what graphs will need, is the KV cache's.
/// </summary>
internal sealed class CudaCapacity(CudaContext context, CudaNetwork network, IBackbone backbone, ExecutorOptions options)
{
    private readonly BackboneSpec _spec = backbone.Spec;
    private readonly ICrossBackbone? _cross = backbone as ICrossBackbone;

    // Graphs of all batch sizes, the libraries' own allocations, and blocks that steps of other shapes split differently.
    private const long Reserve = 768L << 20;

    private readonly DType _kvType = options.KvCacheDType ?? backbone.Spec.ActivationType;

    /// <summary>Bytes that the largest step takes for the time it runs, with what other shapes may split differently; once measured.</summary>
    public long StepBytes { get; private set; }

    /// <summary>Bytes of what one sequence attends to besides itself; 0 for decoder-only networks.</summary>
    public long MemoryBytes => _cross is null
        ? 0
        : PagedKv.BytesABlock(_cross.Cross.KvHeads, _cross.Cross.HeadDim, _kvType, network.Device) * _cross.Cross.Layers * network.Needs.MemoryBlocks;

    /// <summary>Runs the largest step and counts. A step that finds no memory is found so here, not when requests come.</summary>
    /// <exception cref="ArgumentException">Nothing is left for one sequence, or the largest step finds no memory.</exception>
    public ExecutorDescription Measure(SampleOutputs? outputs)
    {
        int maxLength = Math.Min(_spec.MaxLength, options.MaxModelLength ?? int.MaxValue);
        long blockBytes = PagedKv.BytesABlock(_spec.KvHeads, _spec.HeadDim, _kvType, network.Device) * _spec.HeldLayers;
        MeasureStep(outputs, maxLength);
        int slots = Slots();
        long budget = options.KvCacheBytes ?? (Budget() - (slots * MemoryBytes));
        long wanted = (long)slots * ((maxLength + PagedKv.BlockSize - 1) / PagedKv.BlockSize);
        // Beyond a few times what can run at once, cached prefixes are worth little.
        long blocks = Math.Min(budget / blockBytes, options.KvCacheBytes is null ? 4 * Math.Max(wanted, 1) : long.MaxValue);
        if (blocks < 1)
        {
            (long free, long total) = context.Memory();
            throw new ArgumentException(
                $"{network.Device}: {free >> 20} of {total >> 20} MiB are free, and of the share {options.GpuMemoryUtilization} {budget >> 20} MiB are left for the KV cache: "
                + $"no block of {blockBytes} bytes; raise --gpu-memory-utilization or lower --max-num-batched-tokens");
        }
        return new ExecutorDescription(
            _spec.VocabularySize, maxLength, PagedKv.BlockSize, (int)Math.Min(blocks, int.MaxValue / PagedKv.BlockSize), blockBytes, slots, options.MaxBatchedTokens)
        {
            Kind = CpuCapacity.KindOf(_spec),
            KvFormat = $"cuda {_kvType}",
        };
    }

    /// <summary>The cache, zeroed.</summary>
    public PagedKv[] CreateKv(int blocks) =>
        [.. Enumerable.Range(0, _spec.HeldLayers).Select(_ => new PagedKv(blocks, _spec.KvHeads, _spec.HeadDim, _kvType, network.Device))];

    /// <summary>Room for what sequences attend to besides themselves, zeroed; null for decoder-only networks.</summary>
    public CrossMemories? CreateMemories(int slots) =>
        _cross is null ? null : new CrossMemories(_cross, slots, network.Needs.MemoryLength, _kvType, network.Device);

    private void MeasureStep(SampleOutputs? outputs, int maxLength)
    {
        long before = context.Allocator.Allocated;
        long held = context.Stream.AllocatedBytes;
        context.Allocator.ResetPeak();
        try
        {
            RunLargest(outputs, maxLength);
        }
        catch (InsufficientMemoryException error)
        {
            throw new ArgumentException(
                $"{network.Device}: a step of {options.MaxBatchedTokens} positions over {options.MaxSlots} sequences finds no memory ({error.Message}); "
                + "lower --max-num-batched-tokens or --max-num-seqs", error);
        }
        // Scratch memory, which the first step takes, stays; it is out of what is free from here on.
        long peak = context.Allocator.Peak - before - (context.Stream.AllocatedBytes - held);
        StepBytes = peak + (peak / 8);
        context.Allocator.ReleaseCached();
    }

    private long Budget()
    {
        (long free, long total) = context.Memory();
        long share = (long)(options.GpuMemoryUtilization * total) - (total - free);
        return Math.Min(share, options.GpuMemoryBytes ?? long.MaxValue) - StepBytes - Reserve;
    }

    // A memory is taken whole with its slot. Half of what is left is theirs at most, or what a cache of a given size leaves.
    private int Slots()
    {
        if (MemoryBytes == 0)
        {
            return options.MaxSlots;
        }
        long budget = options.KvCacheBytes is { } kv ? Budget() - kv : Budget() / 2;
        return budget >= MemoryBytes
            ? (int)Math.Min(options.MaxSlots, budget / MemoryBytes)
            : throw new ArgumentException(
                $"{network.Device}: {budget >> 20} MiB are left for what a decoder attends to, and one of {network.Needs.MemoryLength} positions takes {MemoryBytes >> 20}; "
                + "raise --gpu-memory-utilization or lower --max-model-len");
    }

    // As many rows as a step may have, over as many sequences as there may be; none of them is kept.
    private void RunLargest(SampleOutputs? outputs, int maxLength)
    {
        int sequences = Math.Min(options.MaxSlots, options.MaxBatchedTokens);
        int rows = (int)Math.Min(options.MaxBatchedTokens, (long)sequences * maxLength);
        int blocks = Math.Min(maxLength, (rows / sequences) + PagedKv.BlockSize) / PagedKv.BlockSize + 1;
        network.Kv = CreateKv(1);
        network.Memories = CreateMemories(1);
        RunEncoder();
        using StepBuffer steps = new(context, network.Device, depth: 1);
        StepLayout layout = new(rows, sequences, sequences, sequences, (blocks + 7) & ~7, (rows + sequences - 1) / sequences, visible: false, network.Needs);
        Span<int> words = steps.Begin(layout.Words);
        words.Clear();
        words.Slice(layout.Mapping, rows).Fill(-1);
        Span<SampleJob> jobs = System.Runtime.InteropServices.MemoryMarshal.Cast<int, SampleJob>(words.Slice(layout.Jobs, sequences * StepLayout.JobWords));
        jobs.Fill(SampleJob.None);
        for (int i = 0; i < sequences; i++)
        {
            int start = (int)((long)rows * i / sequences);
            int end = (int)((long)rows * (i + 1) / sequences);
            words[layout.Starts + i] = start;
            words[layout.Lengths + i] = end - start;
            words[layout.Sampled + i] = end - 1;
            if (network.Memories is { } memories)
            {
                words[layout.MemoryLengths + i] = memories.MaxLength; // all look at the one memory that there is
                memories.FillTable(new CrossMemory(memories, 0), words[(layout.MemoryTables + (i * memories.Blocks))..]);
            }
        }
        words[layout.Starts + sequences] = rows;
        steps.Upload(context.Stream, layout.Words);
        network.Run(context.Stream, layout, steps.Words, outputs);
        context.Stream.Synchronize();
        Array.ForEach(network.Kv, kv => kv.Dispose());
        network.Kv = [];
        network.Memories?.Dispose();
        network.Memories = null;
    }

    // The longest input; its scores and states may be more than a step's.
    private void RunEncoder()
    {
        if (_cross is { Spec.Kind: BackboneKind.EncoderDecoder } && network.Memories is { } memories)
        {
            using var scope = new TensorScope(recycle: true);
            Tensor ids = Tensor.Zeros([memories.MaxLength], DType.I32, network.Device);
            memories.Append(memories.Take(), _cross.Encode(_cross.Embed(ids)));
        }
    }
}
