using MmCluster.Engine.Sampling;
using MmCluster.Models;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Cpu;

/// <summary>
/// Runs steps of one backbone on the processor: a ragged batch of all chunks, prefill and decode alike, goes through the layers once. A row's
/// result does not depend on the other rows, so outputs are bit-equal alone, batched, chunked, preempted, from a cached prefix and after replay. In a run of
/// decode steps nothing is allocated on the managed heap.
/// </summary>
public sealed class CpuExecutor : IModelExecutor
{
    private readonly IBackbone _backbone;
    private readonly ICrossBackbone? _crossBackbone;
    private readonly ExecutorDescription _description;
    private readonly PagedKv[] _kv;
    private readonly CrossMemories? _memories;
    private readonly CpuSlot?[] _slots;
    private readonly StepRows _rows;
    private readonly Sampler _sampler;
    private BackboneStep? _step;

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
        _backbone = backbone;
        _crossBackbone = backbone as ICrossBackbone;
        _description = Describe(spec, options);
        _kv = [.. Enumerable.Range(0, spec.HeldLayers).Select(_ => new PagedKv(_description.BlockCount, spec.KvHeads, spec.HeadDim, options.KvType))];
        _memories = _crossBackbone is null ? null : new CrossMemories(_crossBackbone, _description.MaxSlots, options.KvType);
        _slots = new CpuSlot?[_description.MaxSlots];
        _rows = new StepRows(PagedKv.BlockSize, spec.Kind == BackboneKind.PrefixLm, spec.UsesTokenTypes);
        _sampler = new Sampler(spec.VocabularySize);
    }

    /// <summary>Called with a sampled position's raw logits (slot, length of its sequence, row), for tests that compare bits.</summary>
    internal Action<SlotStart, int, float[]>? LogitsSeen { get; set; }

    /// <inheritdoc/>
    public ExecutorDescription Describe() => _description;

    /// <inheritdoc/>
    public void Execute(in StepPlan plan, StepResult result)
    {
        result.Clear();
        try
        {
            Apply(plan);
            if (plan.Chunks.Length > 0)
            {
                Run(plan, result);
                result.Step = plan.Step;
            }
        }
        catch
        {
            Array.Clear(_slots);
            _memories?.Reset();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PagedKv kv in _kv)
        {
            kv.Dispose();
        }
        _memories?.Dispose();
        _rows.Dispose();
    }

    private static ExecutorDescription Describe(BackboneSpec spec, ExecutorOptions options)
    {
        int maxLength = Math.Min(spec.MaxLength, options.MaxModelLength ?? int.MaxValue);
        long blockBytes = PagedKv.BytesABlock(spec.KvHeads, spec.HeadDim, options.KvType) * spec.HeldLayers;
        long wanted = (long)options.MaxSlots * ((maxLength + PagedKv.BlockSize - 1) / PagedKv.BlockSize);
        long budget = options.KvCacheBytes ?? (long)(0.4 * GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        long blocks = Math.Min(options.KvCacheBytes is null ? wanted : long.MaxValue, budget / blockBytes);
        return blocks < 1
            ? throw new ArgumentException($"cpu executor: {budget} bytes of KV cache hold no block of {blockBytes} bytes")
            : new ExecutorDescription(
                spec.VocabularySize, maxLength, PagedKv.BlockSize, (int)Math.Min(blocks, int.MaxValue / PagedKv.BlockSize), blockBytes, options.MaxSlots,
                options.MaxBatchedTokens)
            {
                KvFormat = $"cpu {options.KvType}",
                Kind = spec.Kind switch
                {
                    BackboneKind.CausalLm => DecoderKind.CausalLm,
                    BackboneKind.PrefixLm => DecoderKind.PrefixLm,
                    BackboneKind.EncoderDecoder => DecoderKind.EncoderDecoder,
                    BackboneKind.CrossAttentionToMedia => DecoderKind.CrossAttentionToMedia,
                    _ => throw new NotSupportedException($"cpu executor: backbones of kind {spec.Kind}"),
                },
            };
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
            _slots[start.Slot] = new CpuSlot(start, _description.VocabularySize, _description.MaxModelLength);
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

    private void Run(in StepPlan plan, StepResult result)
    {
        _rows.Fill(plan, _slots);
        _memories?.Shape(plan.Chunks.Length, _rows.Batch);
        using var scope = new TensorScope(recycle: true);
        RememberAll(plan, result);
        Tensor hidden = _backbone.Embed(_rows.Ids);
        PlaceMedia(hidden, plan, result);
        hidden = _backbone.Forward(hidden, StepOf(plan), 0, _backbone.Spec.LayerCount);
        if (_rows.Sampled.Size(0) > 0)
        {
            Tensor logits = _backbone.Logits(_backbone.Finish(hidden.IndexSelect(0, _rows.Sampled)));
            Sample(plan, logits, result);
        }
    }

    private BackboneStep StepOf(in StepPlan plan)
    {
        _step ??= new BackboneStep { Batch = _rows.Batch, Kv = _kv, CrossKv = _memories?.Kv ?? [] };
        _step.Batch = _rows.Batch;
        _step.TokenTypes = _rows.Types;
        _step.CrossBatch = _memories?.BatchFor(plan, _slots);
        return _step;
    }

    // Gives each slot the memory it attends to: made with its first chunk, shared between choices.
    private void RememberAll(in StepPlan plan, StepResult result)
    {
        if (_memories is null)
        {
            return;
        }
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            CpuSlot slot = _slots[chunk.Slot]!;
            slot.Memory ??= slot.Start.EncoderOf is { } other && _slots[other]?.Memory is { } shared ? shared.Share() : _memories.Take();
            try
            {
                Remember(slot, chunk.Start + chunk.Count);
            }
            catch (Exception error) when (error is ArgumentException or InvalidDataException or NotSupportedException)
            {
                result.Fail(chunk.Slot, MmException.From(error));
            }
        }
    }

    private void Remember(CpuSlot slot, int end)
    {
        CrossMemory memory = slot.Memory!;
        if (_description.Kind == DecoderKind.EncoderDecoder)
        {
            if (memory.Length == 0)
            {
                Encode(slot.Start, memory);
            }
            return;
        }
        while (memory.MediaCount < slot.Start.Media.Count && slot.Start.Media[memory.MediaCount].Position < end)
        {
            Tensor features = slot.Start.Media[memory.MediaCount].Features.GetAwaiter().GetResult();
            CheckRoom(memory.Length + features.Size(0));
            _memories!.Append(memory, features);
            memory.MediaCount++;
        }
    }

    private void Encode(SlotStart start, CrossMemory memory)
    {
        CheckRoom(start.EncoderTokens.Length);
        int[] ids = start.EncoderTokens.ToArray();
        foreach (MediaSpan span in start.EncoderMedia)
        {
            ids.AsSpan(span.Position, span.Length).Clear();
        }
        Tensor embeddings = _backbone.Embed(Tensor.From<int>(ids, [ids.Length]));
        foreach (MediaSpan span in start.EncoderMedia)
        {
            MediaRows.Place(span, embeddings, span.Position, 0, span.Length);
        }
        _memories!.Append(memory, _crossBackbone!.Encode(embeddings));
    }

    private void CheckRoom(int length)
    {
        if (length > _memories!.MaxLength)
        {
            throw new ArgumentException($"the encoder's input takes {length} positions; the model has {_memories.MaxLength}");
        }
    }

    private void PlaceMedia(Tensor hidden, in StepPlan plan, StepResult result)
    {
        if (_description.Kind == DecoderKind.CrossAttentionToMedia)
        {
            return;
        }
        int row = 0;
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            IReadOnlyList<MediaSpan> media = _slots[chunk.Slot]!.Start.Media;
            for (int i = 0; i < media.Count; i++)
            {
                int first = Math.Max(media[i].Position, chunk.Start);
                int end = Math.Min(media[i].Position + media[i].Length, chunk.Start + chunk.Count);
                if (first < end)
                {
                    try
                    {
                        MediaRows.Place(media[i], hidden, row + first - chunk.Start, first - media[i].Position, end - first);
                    }
                    catch (ArgumentException error)
                    {
                        result.Fail(chunk.Slot, MmException.From(error));
                    }
                }
            }
            row += chunk.Count;
        }
    }

    private void Sample(in StepPlan plan, Tensor logits, StepResult result)
    {
        int row = 0;
        int words = (_description.VocabularySize + 31) / 32;
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            if (!chunk.Sample)
            {
                continue;
            }
            result.BeginChunk(chunk.Slot);
            CpuSlot slot = _slots[chunk.Slot]!;
            ReadOnlySpan<int> drafts = plan.Drafts.Span.Slice(chunk.DraftOffset, chunk.DraftCount);
            try
            {
                for (int i = 0; i <= drafts.Length; i++)
                {
                    ReadOnlySpan<uint> mask = chunk.TokenMask is { } word ? plan.TokenMasks.Span.Slice(word + (i * words), words) : default;
                    Span<float> values = logits.Row<float>(row + i);
                    LogitsSeen?.Invoke(slot.Start, slot.Length, values.ToArray());
                    int token = _sampler.Sample(values, slot.Sampling, mask, result);
                    slot.Append(token);
                    if (i < drafts.Length && token != drafts[i])
                    {
                        break;
                    }
                }
            }
            catch (MmException error)
            {
                result.Fail(chunk.Slot, error);
            }
            row += 1 + drafts.Length;
        }
    }
}
