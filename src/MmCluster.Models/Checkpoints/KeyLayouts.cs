namespace MmCluster.Models.Checkpoints;

/// <summary>
/// The key layouts in which published checkpoints come, all in one place: what transformers wrote before version 5, what it writes since, and what
/// the models' own repositories wrote, each mapped to the names that the networks read (which are those of the network's own published class).
/// </summary>
public static class KeyLayouts
{
    /// <summary>
    /// LLaMA and its relatives: <c>model.embed_tokens</c>, <c>model.layers.N</c>, <c>model.norm</c>, <c>lm_head</c>; a bare LlamaModel has no <c>model.</c>.
    /// </summary>
    public static KeyMap Llama { get; } = new KeyMap()
        .Prefix("model.", "model.", "lm_head.")
        .Ignore("*.rotary_emb.inv_freq", "model.rotary_emb.inv_freq", "*.attn.bias", "*.attn.masked_bias");

    /// <summary>OPT: <c>model.decoder.*</c>; the first published files had <c>decoder.*</c>.</summary>
    public static KeyMap Opt { get; } = new KeyMap()
        .Prefix("model.", "model.", "lm_head.");

    /// <summary>T5: <c>shared</c>, <c>encoder.block.N</c>, <c>decoder.block.N</c>, <c>lm_head</c>; copies of the embedding are not read.</summary>
    public static KeyMap T5 { get; } = new KeyMap()
        .Ignore("encoder.embed_tokens.weight", "decoder.embed_tokens.weight",
            "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight");

    /// <summary>BLIP-2: <c>vision_model.*</c>, <c>query_tokens</c>, <c>qformer.*</c>, <c>language_projection.*</c>, <c>language_model.*</c>.</summary>
    public static KeyMap Blip2 { get; } = new KeyMap()
        .Ignore("*.embeddings.position_ids", "language_model.encoder.embed_tokens.weight", "language_model.decoder.embed_tokens.weight");

    /// <summary>CLIP's vision tower alone, or out of a whole CLIPModel: <c>embeddings</c>, <c>pre_layrnorm</c>, <c>encoder</c>, <c>post_layernorm</c>.</summary>
    public static KeyMap ClipVision { get; } = new KeyMap()
        .Rename("vision_model.", "")
        .Ignore("*embeddings.position_ids", "text_model.*", "text_projection.weight", "visual_projection.weight", "logit_scale");

    /// <summary>CLIP's text tower alone, or out of a whole CLIPModel.</summary>
    public static KeyMap ClipText { get; } = new KeyMap()
        .Rename("text_model.", "")
        .Ignore("*embeddings.position_ids", "vision_model.*", "text_projection.weight", "visual_projection.weight", "logit_scale");

    /// <summary>
    /// LLaVA: <c>vision_tower.*</c>, <c>multi_modal_projector.*</c>, <c>language_model.model.*</c>, <c>language_model.lm_head</c>. transformers 5 keeps
    /// them under <c>model.</c>; the authors' own files have LLaMA's keys plus <c>model.mm_projector</c> and <c>model.vision_tower.vision_tower</c>.
    /// </summary>
    public static KeyMap Llava { get; } = new KeyMap()
        .Rename("model.vision_tower.vision_tower.", "vision_tower.")
        .Rename("model.vision_tower.", "vision_tower.")
        .Rename("vision_tower.vision_model.", "vision_tower.")
        .Rename("model.multi_modal_projector.", "multi_modal_projector.")
        .Rename("model.mm_projector.0.", "multi_modal_projector.linear_1.")
        .Rename("model.mm_projector.2.", "multi_modal_projector.linear_2.")
        .Rename("model.mm_projector.", "multi_modal_projector.linear_1.")
        .Rename("model.language_model.", "language_model.model.")
        .Prefix("language_model.", "language_model.", "vision_tower.", "multi_modal_projector.", "image_newline")
        .Ignore("*.rotary_emb.inv_freq", "*embeddings.position_ids", "image_newline");
}
