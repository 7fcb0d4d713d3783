using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Backbones;

/// <summary>The OPT network (arXiv 2205.01068): learned positions, LayerNorm before or after attention and MLP, optionally projected embeddings.</summary>
public sealed class OptBackbone : IBackbone
{
    private const int PositionOffset = 2; // the table's first rows are those of padding, as in fairseq

    private readonly Ownership _owned = new();
    private readonly Tensor _offset;
    private readonly TokenEmbedding? _embedding;
    private readonly Parameter? _positions;
    private readonly Linear? _projectIn;
    private readonly OptLayer[] _layers;
    private readonly LayerNorm? _norm;
    private readonly Linear? _projectOut;
    private readonly Linear? _head;

    /// <summary>Declares the weights of the layers that <paramref name="shard"/> covers, named as in OPTForCausalLM.</summary>
    public OptBackbone(OptConfig config, WeightSource weights, LayerRange shard)
    {
        weights = weights.OwnedBy(_owned);
        shard = shard.Within(config.LayerCount);
        _offset = _owned.Add(Tensor.Full([1], PositionOffset, DType.I32, weights.Options.Device));
        WeightSource decoder = weights["model"]["decoder"];
        HeadWeights head = new(weights["lm_head"], decoder["embed_tokens"], config.VocabularySize, config.EmbeddingSize, config.TiedEmbeddings, shard, config.LayerCount);
        (_embedding, _head) = (head.Embedding, head.Head);
        bool projected = config.EmbeddingSize != config.HiddenSize;
        if (shard.First == 0)
        {
            _positions = new Parameter(decoder["embed_positions"], "weight", config.MaxLength + PositionOffset, config.HiddenSize);
            _projectIn = projected ? new Linear(decoder["project_in"], config.EmbeddingSize, config.HiddenSize, bias: false) : null;
        }
        else
        {
            decoder["embed_positions"].LeaveOut();
            decoder["project_in"].LeaveOut();
        }
        _layers = shard.Build(decoder["layers"], config.LayerCount, (_, layer) => new OptLayer(config, layer));
        if (shard.End == config.LayerCount)
        {
            _norm = config.FinalNorm ? new LayerNorm(decoder["final_layer_norm"], config.HiddenSize, OptLayer.Epsilon, config.AffineNorms) : null;
            _projectOut = projected ? new Linear(decoder["project_out"], config.HiddenSize, config.EmbeddingSize, bias: false) : null;
        }
        else
        {
            decoder["final_layer_norm"].LeaveOut();
            decoder["project_out"].LeaveOut();
        }
        Spec = new BackboneSpec(config.VocabularySize, config.EmbeddingSize, config.HiddenSize, config.EmbeddingSize, config.LayerCount,
            _layers[0].KvHeads, config.HiddenSize / config.Heads, config.MaxLength)
        {
            ActivationType = weights.Options.ActivationType,
            FirstLayer = shard.First,
            EndLayer = shard.End,
        };
    }

    /// <inheritdoc/>
    public BackboneSpec Spec { get; init; }

    /// <inheritdoc/>
    public Tensor Embed(Tensor ids) => _embedding!.Forward(ids);

    /// <inheritdoc/>
    public Tensor Forward(Tensor hidden, BackboneStep input, int firstLayer, int endLayer)
    {
        using var scope = new TensorScope();
        if (firstLayer == 0)
        {
            hidden = Place(hidden, input.Batch.Positions);
        }
        for (int i = firstLayer; i < endLayer; i++)
        {
            Tensor before = hidden;
            hidden = _layers[i - Spec.FirstLayer].Forward(before, input.Batch, input.Kv[i - Spec.FirstLayer]);
            if (i > firstLayer)
            {
                before.Dispose(); // not all layers' states at once
            }
        }
        return scope.Keep(hidden);
    }

    /// <inheritdoc/>
    public Tensor Finish(Tensor hidden)
    {
        using var scope = new TensorScope();
        Tensor normed = _norm?.Forward(hidden) ?? hidden;
        return scope.Keep(_projectOut?.Forward(normed) ?? normed.Clone());
    }

    /// <inheritdoc/>
    public Tensor Logits(Tensor finished) => _head!.ForwardF32(finished);

    /// <inheritdoc/>
    public void Dispose() => _owned.Dispose();

    private Tensor Place(Tensor embedded, Tensor positions)
    {
        using var scope = new TensorScope();
        Tensor places = Ops.Embedding(_positions!.Value, positions + _offset);
        return scope.Keep((_projectIn?.Forward(embedded) ?? embedded) + places);
    }
}

/// <summary>One layer of OPT.</summary>
internal sealed class OptLayer(OptConfig config, WeightSource weights)
{
    public const float Epsilon = 1e-5f; // LayerNorm's default; the configuration has none

    private readonly QkvParallelLinear _qkv = QkvParallelLinear.Joined(weights["self_attn"], ["q_proj", "k_proj", "v_proj"], config.HiddenSize,
        config.Heads, config.Heads, config.HiddenSize / config.Heads, config.Bias);
    private readonly RowParallelLinear _out = new(weights["self_attn"]["out_proj"], config.HiddenSize, config.HiddenSize, config.Bias);
    private readonly LayerNorm _attentionNorm = new(weights["self_attn_layer_norm"], config.HiddenSize, Epsilon, config.AffineNorms);
    private readonly ColumnParallelLinear _fc1 = new(weights["fc1"], config.HiddenSize, config.IntermediateSize, config.Bias);
    private readonly RowParallelLinear _fc2 = new(weights["fc2"], config.IntermediateSize, config.HiddenSize, config.Bias);
    private readonly LayerNorm _finalNorm = new(weights["final_layer_norm"], config.HiddenSize, Epsilon, config.AffineNorms);

    /// <summary>Key and value heads held here.</summary>
    public int KvHeads => _qkv.KvHeads;

    /// <summary>[T, hidden] to the same shape.</summary>
    public Tensor Forward(Tensor x, PagedBatch batch, PagedKv kv)
    {
        using var scope = new TensorScope();
        Tensor h;
        if (config.PreNorm)
        {
            h = x + Attend(_attentionNorm.Forward(x), batch, kv);
            return scope.Keep(h + Mix(_finalNorm.Forward(h)));
        }
        h = _attentionNorm.Forward(x + Attend(x, batch, kv));
        return scope.Keep(_finalNorm.Forward(h + Mix(h)));
    }

    private Tensor Attend(Tensor x, PagedBatch batch, PagedKv kv)
    {
        return _out.Forward(Ops.RopePagedAttention(_qkv.Forward(x), _qkv.Heads, rope: null, kv, batch, new AttentionOptions()));
    }

    private Tensor Mix(Tensor x) => _fc2.Forward(_fc1.Forward(x, config.Activation));
}
