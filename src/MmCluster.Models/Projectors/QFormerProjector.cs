using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Projectors;

/// <summary>
/// The Q-Former (arXiv 2301.12597): a BERT whose inputs are learned queries, and that attends to an encoder's features every few layers. InstructBLIP's
/// (arXiv 2305.06500) reads the instruction too: its words stand behind the queries and never see the features themselves.
/// </summary>
public sealed class QFormerProjector : IProjector
{
    private readonly Ownership _owned = new();
    private readonly QFormerConfig _config;
    private readonly Parameter _queries;
    private readonly Parameter? _words;
    private readonly Parameter? _positions;
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
        WeightSource embeddings = weights["qformer"]["embeddings"];
        if (config.VocabularySize is { } vocabulary)
        {
            _words = new Parameter(embeddings["word_embeddings"], "weight", vocabulary, config.Width);
            _positions = new Parameter(embeddings["position_embeddings"], "weight", config.MaxLength, config.Width);
        }
        _norm = new LayerNorm(_words is null ? weights["qformer"]["layernorm"] : embeddings["layernorm"], config.Width, config.NormEpsilon);
        _layers = [.. Enumerable.Range(0, config.LayerCount).Select(i => new QFormerLayer(config, weights["qformer"]["encoder"]["layer"][i], inputs, i % config.CrossFrequency == 0))];
    }

    /// <inheritdoc/>
    public int Width => _config.Width;

    /// <inheritdoc/>
    public int Positions(int features) => _config.Queries;

    /// <inheritdoc/>
    public bool ReadsInstruction => _words is not null;

    /// <inheritdoc/>
    public Tensor Project(Tensor features, Tensor? instruction = null, Tensor? instructionMask = null)
    {
        using var scope = new TensorScope();
        return scope.Keep(States(features, instruction, instructionMask).Slice(1, 0, _config.Queries).Contiguous());
    }

    /// <summary>All states, the queries' and behind them the instruction's: [B, queries + L, width].</summary>
    /// <exception cref="ArgumentException">An instruction is needed and missing, or too long.</exception>
    public Tensor States(Tensor features, Tensor? instruction, Tensor? instructionMask = null)
    {
        using var scope = new TensorScope();
        Tensor? seen = null;
        Tensor input = _queries.Value.Expand([features.Size(0), _config.Queries, _config.Width]);
        if (_words is not null)
        {
            if (instruction is not { Rank: 2 } || instruction.Size(0) != features.Size(0) || instruction.Size(1) > _config.MaxLength)
            {
                throw new ArgumentException($"q-former: the instruction is {instruction?.Shape.ToString() ?? "missing"}, expected [{features.Size(0)}, at most {_config.MaxLength}]");
            }
            if (instructionMask is not null)
            {
                Tensor queries = Tensor.Ones([features.Size(0), _config.Queries], DType.Bool, features.Device);
                seen = Ops.Cat([queries, instructionMask.To(DType.Bool).To(features.Device)], 1).Unsqueeze(1).Unsqueeze(1);
            }
            input = Ops.Cat([input, Ops.Embedding(_words.Value, instruction) + _positions!.Value.Slice(0, 0, instruction.Size(1))], 1);
        }
        Tensor h = _norm.Forward(input.Contiguous());
        foreach (QFormerLayer layer in _layers)
        {
            h = layer.Forward(h, features, seen);
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
    private readonly BertMix? _textMix = config.VocabularySize is null ? null : new(config, weights["intermediate"], weights["output"]);
    private readonly BertMix _queryMix = new(config, weights["intermediate_query"], weights["output_query"]);

    /// <summary>
    /// [B, queries + L, width] to the same shape; only the queries look at the features. <paramref name="seen"/> [B, 1, 1, queries + L] is true where
    /// a position is looked at, null where all are.
    /// </summary>
    public Tensor Forward(Tensor x, Tensor features, Tensor? seen)
    {
        using var scope = new TensorScope();
        Tensor h = _self.Forward(x, x, seen);
        Tensor queries = h.Slice(1, 0, config.Queries);
        queries = _queryMix.Forward(_cross?.Forward(queries, features) ?? queries);
        return scope.Keep(_textMix is null ? queries : Ops.Cat([queries, _textMix.Forward(h.Slice(1, config.Queries))], 1));
    }
}

/// <summary>BERT's MLP with its norm: norm(x + mlp).</summary>
internal sealed class BertMix(QFormerConfig config, WeightSource intermediate, WeightSource output)
{
    private readonly Linear _intermediate = new(intermediate["dense"], config.Width, config.IntermediateSize, bias: true);
    private readonly Linear _output = new(output["dense"], config.IntermediateSize, config.Width, bias: true);
    private readonly LayerNorm _norm = new(output["LayerNorm"], config.Width, config.NormEpsilon);

    public Tensor Forward(Tensor x) => _norm.Forward(x + _output.Forward(_intermediate.Forward(x, config.Activation)));
}

/// <summary>BERT's attention with its output projection and norm: norm(x + attention).</summary>
internal sealed class BertAttention(QFormerConfig config, WeightSource weights, int keyWidth)
{
    private readonly Linear _query = new(weights["attention"]["query"], config.Width, config.Width, bias: true);
    private readonly Linear _keyValue = Linear.Joined(weights["attention"], ["key", "value"], keyWidth, [config.Width, config.Width], bias: true);
    private readonly Linear _dense = new(weights["output"]["dense"], config.Width, config.Width, bias: true);
    private readonly LayerNorm _norm = new(weights["output"]["LayerNorm"], config.Width, config.NormEpsilon);

    public Tensor Forward(Tensor x, Tensor memory, Tensor? seen = null)
    {
        int headDim = config.Width / config.Heads;
        Tensor q = _query.Forward(x).Reshape(x.Size(0), x.Size(1), config.Heads, headDim).Transpose(1, 2);
        Tensor kv = _keyValue.Forward(memory).Reshape(memory.Size(0), memory.Size(1), 2, config.Heads, headDim).Permute(2, 0, 3, 1, 4);
        Tensor mixed = Ops.ScaledDotProductAttention(q, kv.Select(0, 0), kv.Select(0, 1), seen);
        return _norm.Forward(x + _dense.Forward(mixed.Transpose(1, 2).Reshape(x.Shape)));
    }
}
