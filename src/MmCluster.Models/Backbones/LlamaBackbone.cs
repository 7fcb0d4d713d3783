using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Backbones;

/// <summary>
/// The LLaMA network (arXiv 2302.13971): RMSNorm before attention and MLP, rotary positions, gated MLP. Mistral and Qwen2 are the same with other values.
/// </summary>
public sealed class LlamaBackbone : IBackbone
{
    private readonly Ownership _owned = new();
    private readonly LlamaConfig _config;
    private readonly TokenEmbedding? _embedding;
    private readonly LlamaLayer[] _layers;
    private readonly RmsNorm? _norm;
    private readonly Linear? _head;

    /// <summary>Declares the weights of the layers that <paramref name="shard"/> covers, named as in LlamaForCausalLM.</summary>
    public LlamaBackbone(LlamaConfig config, WeightSource weights, LayerRange shard)
    {
        weights = weights.OwnedBy(_owned);
        shard = shard.Within(config.LayerCount);
        _config = config;
        RopeTable rope = RopeTables.Make(config.Rope, config.MaxLength, _owned, weights.Options.Device);
        WeightSource model = weights["model"];
        HeadWeights head = new(weights["lm_head"], model["embed_tokens"], config.VocabularySize, config.HiddenSize, config.TiedEmbeddings, shard, config.LayerCount);
        _embedding = head.Embedding;
        _layers = shard.Build(model["layers"], config.LayerCount, (i, layer) => new LlamaLayer(config, rope, layer, config.SlidingWindow[i]));
        if (shard.End == config.LayerCount)
        {
            _norm = new RmsNorm(model["norm"], config.HiddenSize, config.NormEpsilon);
        }
        else
        {
            model["norm"].LeaveOut();
        }
        _head = head.Head;
        Spec = new BackboneSpec(config.VocabularySize, config.HiddenSize, config.HiddenSize, config.HiddenSize, config.LayerCount,
            _layers[0].KvHeads, config.HeadDim, config.MaxLength)
        {
            ActivationType = weights.Options.ActivationType,
            FirstLayer = shard.First,
            EndLayer = shard.End,
        };
    }

    /// <inheritdoc/>
    public BackboneSpec Spec { get; init; }

    /// <inheritdoc/>
    public Tensor Embed(Tensor ids) => Held(_embedding).Forward(ids);

    /// <inheritdoc/>
    public Tensor Forward(Tensor hidden, BackboneStep input, int firstLayer, int endLayer)
    {
        Tensor residual = hidden.Clone();
        for (int i = firstLayer; i < endLayer; i++)
        {
            int held = i - Spec.FirstLayer;
            _layers[held].Forward(residual, input.Batch, input.Kv[held]);
        }
        return residual;
    }

    /// <inheritdoc/>
    public Tensor Finish(Tensor hidden) => Held(_norm).Forward(hidden);

    /// <inheritdoc/>
    public Tensor Logits(Tensor finished) => Held(_head).ForwardF32(finished);

    /// <inheritdoc/>
    public void Dispose() => _owned.Dispose();

    private T Held<T>(T? part) where T : class =>
        part ?? throw new InvalidOperationException($"layers {Spec.FirstLayer} to {Spec.EndLayer} of {_config.LayerCount} hold neither embedding nor head here");
}

/// <summary>One layer of LLaMA's network.</summary>
internal sealed class LlamaLayer(LlamaConfig config, RopeTable rope, WeightSource weights, int? window)
{
    private readonly AttentionOptions _attention = new() { Window = window };
    private readonly RmsNorm _inputNorm = new(weights["input_layernorm"], config.HiddenSize, config.NormEpsilon);
    private readonly QkvParallelLinear _qkv = QkvParallelLinear.Joined(weights["self_attn"], ["q_proj", "k_proj", "v_proj"], config.HiddenSize,
        config.Heads, config.KvHeads, config.HeadDim, config.QkvBias);
    private readonly RowParallelLinear _output = new(weights["self_attn"]["o_proj"], config.Heads * config.HeadDim, config.HiddenSize, config.OutputBias);
    private readonly RmsNorm _postNorm = new(weights["post_attention_layernorm"], config.HiddenSize, config.NormEpsilon);
    private readonly ColumnParallelLinear _gateUp = ColumnParallelLinear.Joined(weights["mlp"], ["gate_proj", "up_proj"], config.HiddenSize,
        [config.IntermediateSize, config.IntermediateSize], config.MlpBias);
    private readonly RowParallelLinear _down = new(weights["mlp"]["down_proj"], config.IntermediateSize, config.HiddenSize, config.MlpBias);

    /// <summary>Key and value heads held here.</summary>
    public int KvHeads => _qkv.KvHeads;

    /// <summary>Adds the layer's two branches to <paramref name="residual"/> [T, hidden] in place.</summary>
    public void Forward(Tensor residual, PagedBatch batch, PagedKv kv)
    {
        using var scope = new TensorScope();
        Tensor qkv = _qkv.Forward(residual, _inputNorm);
        _output.AddTo(residual, Ops.RopePagedAttention(qkv, _qkv.Heads, rope, kv, batch, _attention));
        _down.AddTo(residual, _gateUp.ForwardGated(residual, _postNorm, config.Activation));
    }
}
