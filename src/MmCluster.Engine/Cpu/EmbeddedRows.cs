using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Cpu;

/// <summary>The way into the first layer: token embeddings with media features in their places.</summary>
internal sealed class EmbeddedRows(IBackbone backbone, CpuSlot?[] slots)
{
    /// <summary>The step's rows [T, EmbeddingSize], in the caller's scope.</summary>
    public Tensor Forward(in StepPlan plan, StepRows rows, StepResult result)
    {
        Tensor hidden = backbone.Embed(rows.Ids);
        if (backbone.Spec.Kind != BackboneKind.CrossAttentionToMedia)
        {
            MediaRows.PlaceAll(plan.Chunks.Span, slots, hidden, result);
        }
        return hidden;
    }
}
