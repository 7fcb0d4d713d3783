using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Projectors;

/// <summary>The Q-Former (arXiv 2301.12597): a BERT whose inputs are learned queries, and that attends to an encoder's features every few layers.</summary>
public sealed class QFormerProjector : IProjector
{
    private readonly Ownership _owned = new();
    private readonly QFormerConfig _config;
    private readonly Parameter _queries;
    private readonly LayerNorm _norm;
    private readonly QFormerLayer[] _layers;

    /// <summary>Declares its weights: <c>query_tokens</c> and <c>qformer.*</c>.</summary>
    /// <param name="config">Its configuration.</param>
    /// <param name="weights">Where they lie.</param>
    /// <param name="inputs">Width of the features.</param>
    public QFormerProjector(QFormerConfig config, WeightSource weights, int inputs)
    {
        weights = weights.OwnedBy(_owned);
        _config = config;
        _queries = new Parameter(weights, "query_tokens", 1, config.Queries, config.Width);
        _norm = new LayerNorm(weights["qformer"]["layernorm"], config.Width, config.NormEpsilon);
        _layers = [.. Enumerable.Range(0, config.LayerCount).Select(i => new QFormerLayer(config, weights["qformer"]["encoder"]["layer"][i], inputs, i % config.CrossFrequency == 0))];
    }

    /// <inheritdoc/>
    public int Width => _config.Width;

    /// <inheritdoc/>
    public int Positions(int features) => _config.Queries;

    /// <inheritdoc/>
    public Tensor Project(Tensor features)
    {
        using var scope = new TensorScope();
        Tensor h = _norm.Forward(_queries.Value.Expand([features.Size(0), _config.Queries, _config.Width]).Contiguous());
        foreach (QFormerLayer layer in _layers)
        {
            h = layer.Forward(h, features);
        }
        return scope.Keep(h);
    }

    /// <inheritdoc/>
    public void Dispose() => _owned.Dispose();
}

/// <summary>One layer of the Q-Former: BERT's post-norm order.</summary>
internal sealed class QFormerLayer(QFormerConfig config, WeightSource weights, int featureWidth, bool attendsToFeatures)
{
    private readonly BertAttention _self = new(config, weights["attention"], config.Width);
    private readonly BertAttention? _cross = attendsToFeatures ? new(config, weights["crossattention"], featureWidth) : null;
    private readonly Linear _intermediate = new(weights["intermediate_query"]["dense"], config.Width, config.IntermediateSize, bias: true);
    private readonly Linear _output = new(weights["output_query"]["dense"], config.IntermediateSize, config.Width, bias: true);
    private readonly LayerNorm _norm = new(weights["output_query"]["LayerNorm"], config.Width, config.NormEpsilon);

    public Tensor Forward(Tensor x, Tensor features)
    {
        using var scope = new TensorScope();
        Tensor h = _self.Forward(x, x);
        h = _cross?.Forward(h, features) ?? h;
        return scope.Keep(_norm.Forward(h + _output.Forward(_intermediate.Forward(h, config.Activation))));
    }
}

/// <summary>BERT's attention with its output projection and norm: norm(x + attention).</summary>
internal sealed class BertAttention(QFormerConfig config, WeightSource weights, int keyWidth)
{
    private readonly Linear _query = new(weights["attention"]["query"], config.Width, config.Width, bias: true);
    private readonly Linear _keyValue = Linear.Joined(weights["attention"], ["key", "value"], keyWidth, [config.Width, config.Width], bias: true);
    private readonly Linear _dense = new(weights["output"]["dense"], config.Width, config.Width, bias: true);
    private readonly LayerNorm _norm = new(weights["output"]["LayerNorm"], config.Width, config.NormEpsilon);

    public Tensor Forward(Tensor x, Tensor memory)
    {
        int headDim = config.Width / config.Heads;
        Tensor q = _query.Forward(x).Reshape(x.Size(0), x.Size(1), config.Heads, headDim).Transpose(1, 2);
        Tensor kv = _keyValue.Forward(memory).Reshape(memory.Size(0), memory.Size(1), 2, config.Heads, headDim).Permute(2, 0, 3, 1, 4);
        Tensor mixed = Ops.ScaledDotProductAttention(q, kv.Select(0, 0), kv.Select(0, 1));
        return _norm.Forward(x + _dense.Forward(mixed.Transpose(1, 2).Reshape(x.Shape)));
    }
}
