using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Backbones;

/// <summary>The T5 network (arXiv 1910.10683): an encoder, and a decoder that attends to its output; relative positions, RMSNorm, no biases.</summary>
public sealed class T5Backbone : ICrossBackbone
{
    private readonly Ownership _owned = new();
    private readonly T5Config _config;
    private readonly TokenEmbedding _embedding;
    private readonly RelativeBias _encoderBias;
    private readonly T5EncoderLayer[] _encoder;
    private readonly RmsNorm _encoderNorm;
    private readonly RelativeBias _decoderBias;
    private readonly T5DecoderLayer[] _decoder;
    private readonly RmsNorm _decoderNorm;
    private readonly Linear _head;

    /// <summary>Declares its weights, named as in T5ForConditionalGeneration. Encoder-decoders are not split over shards.</summary>
    /// <exception cref="NotSupportedException">Only a part of the layers is asked for.</exception>
    public T5Backbone(T5Config config, WeightSource weights, LayerRange shard)
    {
        if (shard.Within(config.DecoderLayers) != new LayerRange(0, config.DecoderLayers))
        {
            throw new NotSupportedException("t5: an encoder-decoder runs on one shard; use a pipeline of 1");
        }
        weights = weights.OwnedBy(_owned);
        _config = config;
        HeadWeights head = new(weights["lm_head"], weights["shared"], config.VocabularySize, config.Width, config.TiedEmbeddings, shard.Within(config.DecoderLayers), config.DecoderLayers);
        (_embedding, _head) = (head.Embedding!, head.Head!);
        WeightSource encoder = weights["encoder"]["block"];
        _encoderBias = new RelativeBias(encoder[0]["layer"][0]["SelfAttention"]["relative_attention_bias"],
            config.Buckets, config.Heads, config.MaxDistance, bidirectional: true);
        _encoder = [.. Enumerable.Range(0, config.EncoderLayers).Select(i => new T5EncoderLayer(config, encoder[i]))];
        _encoderNorm = new RmsNorm(weights["encoder"]["final_layer_norm"], config.Width, config.NormEpsilon);
        WeightSource decoder = weights["decoder"]["block"];
        _decoderBias = new RelativeBias(decoder[0]["layer"][0]["SelfAttention"]["relative_attention_bias"],
            config.Buckets, config.Heads, config.MaxDistance, bidirectional: false);
        _decoder = [.. Enumerable.Range(0, config.DecoderLayers).Select(i => new T5DecoderLayer(config, decoder[i]))];
        _decoderNorm = new RmsNorm(weights["decoder"]["final_layer_norm"], config.Width, config.NormEpsilon);
        Spec = new BackboneSpec(config.VocabularySize, config.Width, config.Width, config.Width, config.DecoderLayers,
            config.Heads, config.HeadDim, config.MaxLength)
        {
            Kind = BackboneKind.EncoderDecoder,
        };
        Cross = new CrossSpec(config.DecoderLayers, config.Heads, config.HeadDim, config.MaxLength);
    }

    /// <inheritdoc/>
    public BackboneSpec Spec { get; init; }

    /// <inheritdoc/>
    public CrossSpec Cross { get; }

    /// <inheritdoc/>
    /// <remarks>In F32 on every device, and so are the rows between layers: T5's grow by orders of magnitude, and its scores are not scaled.</remarks>
    public Tensor Embed(Tensor ids)
    {
        using var scope = new TensorScope();
        return scope.Keep(_embedding.Forward(ids).To(DType.F32));
    }

    /// <inheritdoc/>
    public Tensor Encode(Tensor embeddings)
    {
        using var scope = new TensorScope();
        return scope.Keep(Encode(embeddings.Unsqueeze(0), mask: null).Select(0, 0));
    }

    /// <summary>
    /// Runs the encoder over a batch of padded sequences: [B, L, width] to the same shape. <paramref name="mask"/> is [B, L] Bool, true where a position is
    /// text, or null.
    /// </summary>
    public Tensor Encode(Tensor embeddings, Tensor? mask)
    {
        using var scope = new TensorScope();
        Tensor bias = _encoderBias.ForLength(embeddings.Size(1));
        Tensor? keys = mask?.Unsqueeze(1).Unsqueeze(1);
        Tensor h = embeddings;
        foreach (T5EncoderLayer layer in _encoder)
        {
            Tensor before = h;
            h = layer.Forward(before, bias, keys);
            if (before != embeddings)
            {
                before.Dispose(); // not all layers' states at once
            }
        }
        return scope.Keep(_encoderNorm.Forward(h));
    }

    /// <inheritdoc/>
    public void AppendCross(Tensor memory, IReadOnlyList<PagedKv> cross, PagedBatch batch)
    {
        for (int i = 0; i < _decoder.Length; i++)
        {
            _decoder[i].Append(memory, cross[i], batch);
        }
    }

    /// <inheritdoc/>
    public Tensor Forward(Tensor hidden, BackboneStep input, int firstLayer, int endLayer)
    {
        using var scope = new TensorScope();
        PagedBatch memory = input.CrossBatch ?? throw new ArgumentException("t5: the step has no CrossBatch");
        for (int i = firstLayer; i < endLayer; i++)
        {
            Tensor before = hidden;
            hidden = _decoder[i].Forward(before, _decoderBias.ByDistance, input, memory, i);
            if (i > firstLayer)
            {
                before.Dispose(); // not all layers' states at once
            }
        }
        return scope.Keep(hidden);
    }

    /// <inheritdoc/>
    public Tensor Finish(Tensor hidden) => _decoderNorm.Forward(hidden);

    /// <inheritdoc/>
    public Tensor Logits(Tensor finished)
    {
        using var scope = new TensorScope();
        return scope.Keep(_head.ForwardF32(_config.ScalesOutput ? finished * (1 / MathF.Sqrt(_config.Width)) : finished));
    }

    /// <inheritdoc/>
    public void Dispose() => _owned.Dispose();
}
