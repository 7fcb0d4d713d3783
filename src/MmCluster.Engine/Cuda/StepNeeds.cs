using MmCluster.Engine.Cpu;
using MmCluster.Models.Backbones;

namespace MmCluster.Engine.Cuda;

/// <summary>What a network reads of a step besides tokens, positions and its own cache.</summary>
/// <param name="PrefixLm">Whether prompts attend to themselves in both directions.</param>
/// <param name="TokenTypes">Whether rows say if they are media.</param>
/// <param name="MemoryLength">Rows of the longest memory that a sequence attends to; 0 for decoder-only networks.</param>
/// <param name="MemoryByMedia">Whether a row sees one media item's rows of that memory only, and media stand nowhere else.</param>
internal readonly record struct StepNeeds(bool PrefixLm = false, bool TokenTypes = false, int MemoryLength = 0, bool MemoryByMedia = false)
{
    /// <summary>KV blocks of a memory.</summary>
    public int MemoryBlocks => CrossMemories.BlocksFor(MemoryLength);

    /// <summary>What a backbone needs. An encoder's input is bounded as every sequence is: its memory is taken whole, in advance.</summary>
    public static StepNeeds Of(IBackbone backbone, ExecutorOptions options)
    {
        BackboneSpec spec = backbone.Spec;
        int memory = backbone is ICrossBackbone { Cross.MaxLength: var most }
            ? spec.Kind == BackboneKind.EncoderDecoder ? Math.Min(most, options.MaxModelLength ?? int.MaxValue) : most
            : 0;
        return new StepNeeds(spec.Kind == BackboneKind.PrefixLm, spec.UsesTokenTypes, memory, spec.Kind == BackboneKind.CrossAttentionToMedia);
    }
}
