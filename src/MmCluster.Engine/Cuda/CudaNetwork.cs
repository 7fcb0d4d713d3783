using MmCluster.Engine.Cpu;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Cuda;

/// <summary>
/// A step's way through the layers held and the sampler, over numbers that lie in a step's buffer on the GPU: the same for a graph as for a step launched kernel by
/// kernel. Rows between pipeline shards stand in buffers of their own.
/// </summary>
internal sealed unsafe class CudaNetwork : IDisposable
{
    private readonly IBackbone _backbone;
    private readonly CudaSampler? _sampler;
    private readonly Tensor? _rowsIn;
    private readonly Tensor? _rowsOut;

    public CudaNetwork(IBackbone backbone, CudaSampler? sampler, Device device, ExecutorOptions options)
    {
        (_backbone, _sampler, Device) = (backbone, sampler, device);
        BackboneSpec spec = backbone.Spec;
        Needs = StepNeeds.Of(backbone, options);
        int maxRows = options.MaxBatchedTokens;
        _rowsIn = spec.HoldsEmbedding ? null : Tensor.Zeros([maxRows, spec.HiddenSize], DType.F32, device);
        _rowsOut = spec.HoldsHead ? null : Tensor.Zeros([maxRows, spec.HiddenSize], DType.F32, device);
    }

    /// <summary>Where it runs.</summary>
    public Device Device { get; }

    /// <summary>What it reads of a step.</summary>
    public StepNeeds Needs { get; }

    /// <summary>Whether it embeds tokens.</summary>
    public bool HoldsEmbedding => _rowsIn is null;

    /// <summary>Keys and values, one a layer.</summary>
    public PagedKv[] Kv { get; set; } = [];

    /// <summary>What sequences attend to besides themselves; null for decoder-only networks.</summary>
    public CrossMemories? Memories { get; set; }

    /// <summary>Copies a block of all layers.</summary>
    public void CopyBlock(int source, int target)
    {
        foreach (PagedKv kv in Kv)
        {
            kv.CopyBlock(source, target);
        }
    }

    /// <summary>
    /// Brings rows [T, HiddenSize] of the shard before to the layers, from the host's memory, another GPU, or where a peer's memory is mapped. They may be reused once the
    /// step behind is done.
    /// </summary>
    public void TakeRows(CudaStream stream, Tensor rows)
    {
        using Tensor place = _rowsIn!.Slice(0, 0, rows.Size(0));
        Move(stream, rows, place);
    }

    /// <summary>Waits for the step and writes its rows to <paramref name="rows"/>, in the host's memory or on a GPU.</summary>
    public void GiveRows(CudaStream stream, Tensor rows)
    {
        using Tensor place = _rowsOut!.Slice(0, 0, rows.Size(0));
        Move(stream, place, rows);
        stream.Synchronize(); // whoever is told of them has another stream, or another process
    }

    private static void Move(CudaStream stream, Tensor from, Tensor to)
    {
        if (from.Device.IsCpu || to.Device.IsCpu || from.Device == to.Device)
        {
            to.CopyFrom(from);
        }
        else
        {
            stream.Context.CopyFromPeer(from, to, stream);
        }
    }

    /// <summary>Queues a step. Call it outside of any tensor scope.</summary>
    /// <param name="stream">The thread's stream.</param>
    /// <param name="layout">Where its numbers are.</param>
    /// <param name="words">The step's buffer.</param>
    /// <param name="outputs">Where tokens go; null where none are sampled.</param>
    /// <param name="media">Puts features in their places.</param>
    public void Run(CudaStream stream, in StepLayout layout, Tensor words, SampleOutputs? outputs, MediaPlacement media = default)
    {
        using var scope = new TensorScope(recycle: true);
        Tensor hidden = _rowsIn?.Slice(0, 0, layout.Rows).To(_backbone.Spec.ActivationType) ?? Embed(stream, layout, words, media);
        PagedBatch batch = BatchOf(layout, words);
        BackboneStep step = new()
        {
            Batch = batch,
            Kv = Kv,
            CrossBatch = Memories is null ? null : MemoryBatchOf(layout, words, batch),
            CrossKv = Memories?.Kv ?? [],
            TokenTypes = Needs.TokenTypes ? Part(words, layout.Types, layout.Rows) : null,
        };
        hidden = _backbone.Forward(hidden, step, _backbone.Spec.FirstLayer, _backbone.Spec.EndLayer);
        if (_rowsOut is not null)
        {
            _rowsOut.Slice(0, 0, layout.Rows).CopyFrom(hidden);
        }
        else if (layout.JobCount > 0)
        {
            Sample(stream, layout, words, hidden, outputs!);
        }
    }

    /// <summary>Frees keys and values, and the rows' buffers.</summary>
    public void Dispose()
    {
        Memories?.Dispose();
        Array.ForEach(Kv, kv => kv.Dispose());
        _rowsIn?.Dispose();
        _rowsOut?.Dispose();
    }

    // A shard that does not sample is told every token.
    private Tensor Embed(CudaStream stream, in StepLayout layout, Tensor words, MediaPlacement media)
    {
        Tensor ids = Part(words, layout.Ids, layout.Rows);
        if (_sampler is not null)
        {
            ids = Tensor.Empty([layout.Rows], DType.I32, Device);
            _sampler.GatherTokens(stream, (int*)words.Data + layout.Ids, ids, layout.Rows);
        }
        Tensor hidden = _backbone.Embed(ids);
        if (!Needs.MemoryByMedia)
        {
            media.Place(hidden);
        }
        return hidden;
    }

    private void Sample(CudaStream stream, in StepLayout layout, Tensor words, Tensor hidden, SampleOutputs outputs)
    {
        if (layout.SampledCount != layout.Rows)
        {
            hidden = hidden.IndexSelect(0, Part(words, layout.Sampled, layout.SampledCount));
        }
        Tensor logits = _backbone.Logits(_backbone.Finish(hidden));
        _sampler!.Sample(stream, logits, words, layout.Jobs, layout.JobCount, outputs);
    }

    private static PagedBatch BatchOf(in StepLayout layout, Tensor words) => new()
    {
        QueryStarts = Part(words, layout.Starts, layout.Sequences + 1),
        SequenceLengths = Part(words, layout.Lengths, layout.Sequences),
        BlockTables = Part(words, layout.Tables, layout.Sequences * layout.Width).Reshape(layout.Sequences, layout.Width),
        SlotMapping = Part(words, layout.Mapping, layout.Rows),
        Positions = Part(words, layout.Positions, layout.Rows),
        MaxQueries = layout.MaxQueries,
        LeadingSingles = layout.LeadingSingles,
        VisibleEnds = layout.HasEnds ? Part(words, layout.Ends, layout.Rows) : null,
    };

    private static PagedBatch MemoryBatchOf(in StepLayout layout, Tensor words, PagedBatch batch) => new()
    {
        QueryStarts = batch.QueryStarts,
        SequenceLengths = Part(words, layout.MemoryLengths, layout.Sequences),
        BlockTables = Part(words, layout.MemoryTables, layout.Sequences * layout.Needs.MemoryBlocks).Reshape(layout.Sequences, layout.Needs.MemoryBlocks),
        SlotMapping = batch.SlotMapping,
        Positions = batch.Positions,
        MaxQueries = layout.MaxQueries,
        VisibleStarts = layout.Needs.MemoryByMedia ? Part(words, layout.MemoryStarts, layout.Rows) : null,
        VisibleEnds = layout.Needs.MemoryByMedia ? Part(words, layout.MemoryEnds, layout.Rows) : null,
    };

    private static Tensor Part(Tensor words, int start, int count) => words.Slice(0, start, start + count);
}
