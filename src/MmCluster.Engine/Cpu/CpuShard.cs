using MmCluster.Engine.Pipeline;
using MmCluster.Engine.Sampling;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Cpu;

/// <summary>
/// Layers of one backbone on the processor: a ragged batch of all chunks, prefill and decode alike, goes through them once. A row's result does not depend on the
/// other rows. In a run of decode steps nothing is allocated on the managed heap.
/// </summary>
public sealed class CpuShard : IModelShard
{
    private readonly IBackbone _backbone;
    private readonly ExecutorDescription _description;
    private readonly PagedKv[] _kv;
    private readonly CpuSlot?[] _slots;
    private readonly StepRows _rows;
    private readonly CrossMemories? _memories;
    private readonly SlotMemories? _remembered;
    private readonly CrossRows? _crossRows;
    private readonly EmbeddedRows? _embedding;
    private readonly SampledRows? _sampling;
    private BackboneStep? _step;

    /// <summary>Creates a shard over the layers that <paramref name="backbone"/> holds; it stays the caller's and must outlive the shard.</summary>
    /// <exception cref="ArgumentException">The options leave no room for one block or ask for another KV type than F32, BF16 and Q8_0, or the network cannot be cut.</exception>
    public CpuShard(IBackbone backbone, ExecutorOptions options)
    {
        BackboneSpec spec = backbone.Spec;
        _backbone = backbone;
        _description = CpuCapacity.Describe(spec, options);
        _slots = new CpuSlot?[_description.MaxSlots];
        if (backbone is ICrossBackbone cross)
        {
            if (!spec.HoldsEmbedding || !spec.HoldsHead)
            {
                throw new ArgumentException($"pipeline: a network of kind {spec.Kind} cannot be cut: every layer of it attends to a memory that one shard makes");
            }
            _memories = new CrossMemories(cross, _description.MaxSlots, cross.Cross.MaxLength, options.KvType, Device.Cpu);
            _remembered = new SlotMemories(cross, _memories, _slots, Device.Cpu);
            _crossRows = new CrossRows(_memories, spec.Kind);
        }
        _kv = [.. Enumerable.Range(0, spec.HeldLayers).Select(_ => new PagedKv(_description.BlockCount, spec.KvHeads, spec.HeadDim, options.KvType))];
        _rows = new StepRows(PagedKv.BlockSize, spec.HoldsEmbedding, spec.Kind, spec.UsesTokenTypes);
        _embedding = spec.HoldsEmbedding ? new EmbeddedRows(backbone, _slots) : null;
        _sampling = spec.HoldsHead ? new SampledRows(spec.VocabularySize, _slots) : null;
    }

    /// <inheritdoc/>
    public BackboneSpec Spec => _backbone.Spec;

    /// <summary>Called with a sampled position's raw logits (slot, length of its sequence, row), for tests that compare bits.</summary>
    internal Action<SlotStart, int, float[]>? LogitsSeen
    {
        get => _sampling!.LogitsSeen;
        set => _sampling!.LogitsSeen = value;
    }

    /// <inheritdoc/>
    public ExecutorDescription Describe() => _description;

    /// <inheritdoc/>
    public void Run(in StepPlan plan, Tensor? input, Tensor? output, StepResult result)
    {
        Apply(plan);
        if (plan.Chunks.Length == 0)
        {
            return;
        }
        _rows.Fill(plan, _slots);
        _crossRows?.Shape(plan.Chunks.Length, _rows.Batch);
        using var scope = new TensorScope(recycle: true);
        _remembered?.Remember(plan, result);
        Tensor hidden = _embedding?.Forward(plan, _rows, result) ?? input ?? throw new ArgumentNullException(nameof(input));
        hidden = _backbone.Forward(hidden, StepOf(plan), Spec.FirstLayer, Spec.EndLayer);
        if (_sampling is null)
        {
            hidden.Contiguous().AsReadOnlySpan<float>().CopyTo(output!.AsSpan<float>());
        }
        else if (_rows.Sampled.Size(0) > 0)
        {
            _sampling.Sample(plan, _backbone.Logits(_backbone.Finish(hidden.IndexSelect(0, _rows.Sampled))), result);
        }
    }

    /// <inheritdoc/>
    public void Append(StepResult sampled)
    {
        for (int entry = 0; entry < sampled.Chunks.Count; entry++)
        {
            SampledChunk chunk = sampled.Chunks[entry];
            if (_slots[chunk.Slot] is { } slot && slot.StartedAt <= sampled.Step)
            {
                for (int i = 0; i < chunk.TokenCount; i++)
                {
                    slot.Append(sampled.Tokens[chunk.TokenOffset + i].Id);
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Reset()
    {
        Array.Clear(_slots);
        _memories?.Reset();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PagedKv kv in _kv)
        {
            kv.Dispose();
        }
        _memories?.Dispose();
        _crossRows?.Dispose();
        _rows.Dispose();
    }

    private void Apply(in StepPlan plan)
    {
        foreach (int slot in plan.Ends.Span)
        {
            _slots[slot]?.Memory?.Release();
            _slots[slot] = null;
        }
        foreach (SlotStart start in plan.Starts.Span)
        {
            if (_slots[start.Slot] is not null)
            {
                throw new InvalidOperationException($"slot {start.Slot} is in use");
            }
            _slots[start.Slot] = SlotOf(start, plan.Step);
        }
        foreach (BlockCopy copy in plan.Copies.Span)
        {
            foreach (PagedKv kv in _kv)
            {
                kv.CopyBlock(copy.Source, copy.Target);
            }
        }
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            CpuSlot slot = _slots[chunk.Slot] ?? throw new InvalidOperationException($"slot {chunk.Slot} is empty");
            slot.AddBlocks(plan.Blocks.Span.Slice(chunk.BlockOffset, chunk.BlockCount));
        }
    }

    // Tokens are kept where they are embedded, and where penalties count them.
    private CpuSlot SlotOf(SlotStart start, long step) => new(start, step, _embedding is null ? 0 : _description.MaxModelLength)
    {
        Sampling = _sampling is null ? null : new SlotSampling(
            start.Sampling, start.Choice, start.StopTokenIds, start.Tokens.Span, start.PromptLength, _description.VocabularySize),
    };

    private BackboneStep StepOf(in StepPlan plan)
    {
        _step ??= new BackboneStep { Batch = _rows.Batch, Kv = _kv, CrossKv = _memories?.Kv ?? [] };
        _step.Batch = _rows.Batch;
        _step.TokenTypes = _rows.Types;
        _step.CrossBatch = _crossRows?.BatchFor(plan, _slots);
        return _step;
    }
}
