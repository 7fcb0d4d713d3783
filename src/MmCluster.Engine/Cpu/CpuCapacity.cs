using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Cpu;

/// <summary>What a shard on the processor can hold, from its network and its options.</summary>
internal static class CpuCapacity
{
    /// <summary>How requests feed a network, on any device.</summary>
    public static DecoderKind KindOf(BackboneSpec spec) => spec.Kind switch
    {
        BackboneKind.CausalLm => DecoderKind.CausalLm,
        BackboneKind.PrefixLm => DecoderKind.PrefixLm,
        BackboneKind.EncoderDecoder => DecoderKind.EncoderDecoder,
        BackboneKind.CrossAttentionToMedia => DecoderKind.CrossAttentionToMedia,
        _ => throw new NotSupportedException($"executor: backbones of kind {spec.Kind}"),
    };

    /// <exception cref="ArgumentException">The KV cache would not hold one block.</exception>
    public static ExecutorDescription Describe(BackboneSpec spec, ExecutorOptions options)
    {
        int maxLength = Math.Min(spec.MaxLength, options.MaxModelLength ?? int.MaxValue);
        long blockBytes = PagedKv.BytesABlock(spec.KvHeads, spec.HeadDim, options.KvType) * spec.HeldLayers;
        long wanted = (long)options.MaxSlots * ((maxLength + PagedKv.BlockSize - 1) / PagedKv.BlockSize);
        long budget = options.KvCacheBytes ?? (long)(options.ProcessMemoryShare * GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        long blocks = Math.Min(options.KvCacheBytes is null ? wanted : long.MaxValue, budget / blockBytes);
        return blocks < 1
            ? throw new ArgumentException($"cpu executor: {budget} bytes of KV cache hold no block of {blockBytes} bytes")
            : new ExecutorDescription(
                spec.VocabularySize, maxLength, PagedKv.BlockSize, (int)Math.Min(blocks, int.MaxValue / PagedKv.BlockSize), blockBytes, options.MaxSlots,
                options.MaxBatchedTokens)
            {
                KvFormat = $"cpu {options.KvType}",
                Kind = KindOf(spec),
            };
    }
}
