using MmCluster.Models.Backbones;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Cuda;

/// <summary>
/// How much a GPU can hold: its share of memory, less what is taken, what the largest step needs (found by running one) and what graphs will need, is the KV cache's.
/// </summary>
internal sealed class CudaCapacity(CudaContext context, CudaNetwork network, BackboneSpec spec, ExecutorOptions options)
{
    // Graphs of all batch sizes, the libraries' own allocations, and blocks that steps of other shapes split differently.
    private const long Reserve = 768L << 20;

    private readonly DType _kvType = options.KvCacheDType ?? spec.ActivationType;

    /// <summary>Bytes that the largest step takes for the time it runs, with what other shapes may split differently; once measured.</summary>
    public long StepBytes { get; private set; }

    /// <summary>Runs the largest step and counts. A step that finds no memory is found so here, not when requests come.</summary>
    /// <exception cref="ArgumentException">Nothing is left for one sequence, or the largest step finds no memory.</exception>
    public ExecutorDescription Measure(SampleOutputs? outputs)
    {
        int maxLength = Math.Min(spec.MaxLength, options.MaxModelLength ?? int.MaxValue);
        long blockBytes = PagedKv.BytesABlock(spec.KvHeads, spec.HeadDim, _kvType, network.Device) * spec.HeldLayers;
        MeasureStep(outputs, maxLength);
        long budget = options.KvCacheBytes ?? Budget();
        long wanted = (long)options.MaxSlots * ((maxLength + PagedKv.BlockSize - 1) / PagedKv.BlockSize);
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
            spec.VocabularySize, maxLength, PagedKv.BlockSize, (int)Math.Min(blocks, int.MaxValue / PagedKv.BlockSize), blockBytes, options.MaxSlots, options.MaxBatchedTokens)
        {
            Kind = network.PrefixLm ? DecoderKind.PrefixLm : DecoderKind.CausalLm,
            KvFormat = $"cuda {_kvType}",
        };
    }

    /// <summary>The cache, zeroed.</summary>
    public PagedKv[] CreateKv(int blocks) =>
        [.. Enumerable.Range(0, spec.HeldLayers).Select(_ => new PagedKv(blocks, spec.KvHeads, spec.HeadDim, _kvType, network.Device))];

    private void MeasureStep(SampleOutputs? outputs, int maxLength)
    {
        long before = context.Allocator.Allocated;
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
        long peak = context.Allocator.Peak - before;
        StepBytes = peak + (peak / 8);
        context.Allocator.ReleaseCached();
    }

    private long Budget()
    {
        (long free, long total) = context.Memory();
        long share = (long)(options.GpuMemoryUtilization * total) - (total - free);
        return Math.Min(share, options.GpuMemoryBytes ?? long.MaxValue) - StepBytes - Reserve;
    }

    // As many rows as a step may have, over as many sequences as there may be; none of them is kept.
    private void RunLargest(SampleOutputs? outputs, int maxLength)
    {
        int sequences = Math.Min(options.MaxSlots, options.MaxBatchedTokens);
        int rows = (int)Math.Min(options.MaxBatchedTokens, (long)sequences * maxLength);
        int blocks = Math.Min(maxLength, (rows / sequences) + PagedKv.BlockSize) / PagedKv.BlockSize + 1;
        network.Kv = CreateKv(1);
        using StepBuffer steps = new(context, network.Device, depth: 1);
        StepLayout layout = new(rows, sequences, sequences, sequences, (blocks + 7) & ~7, (rows + sequences - 1) / sequences, visible: false);
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
        }
        words[layout.Starts + sequences] = rows;
        steps.Upload(context.Stream, layout.Words);
        network.Run(context.Stream, layout, steps.Words, outputs);
        context.Stream.Synchronize();
        Array.ForEach(network.Kv, kv => kv.Dispose());
        network.Kv = [];
    }
}
