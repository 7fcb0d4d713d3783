using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Encoders;

/// <summary>CLIP's text transformer, the prompt encoder of Stable Diffusion: causal pre-norm layers and a final norm. Not thread-safe.</summary>
public sealed class ClipTextEncoder : IDisposable
{
    private const int LegacyEos = 2; // published configurations say 2 and mean the largest id

    private readonly Ownership _owned = new();
    private readonly Parameter _tokens;
    private readonly Parameter _positions;
    private readonly ClipLayer[] _layers;
    private readonly LayerNorm _finalNorm;
    private readonly int _eos;

    /// <summary>Declares its weights, named as in CLIPTextModel without <c>text_model.</c>; absent values are CLIPTextConfig's defaults.</summary>
    /// <exception cref="InvalidDataException">A missing or impossible value.</exception>
    /// <exception cref="NotSupportedException">An unknown activation.</exception>
    public ClipTextEncoder(ModelConfig config, WeightSource weights)
    {
        weights = weights.OwnedBy(_owned);
        int width = config.SizeOr(512, "hidden_size");
        int heads = config.SizeOr(8, "num_attention_heads");
        float epsilon = (float)config.NumberOr(1e-5, "layer_norm_eps");
        Activation activation = Activations.Read(config, "quick_gelu", "hidden_act");
        if (width % heads != 0)
        {
            throw config.Bad("num_attention_heads", $"is {heads}, which does not divide hidden_size {width}");
        }
        MaxLength = config.SizeOr(77, "max_position_embeddings");
        Width = width;
        _eos = config.TryWhole("eos_token_id") ?? 49407;
        _tokens = new Parameter(weights["embeddings"]["token_embedding"], "weight", config.SizeOr(49408, "vocab_size"), width);
        _positions = new Parameter(weights["embeddings"]["position_embedding"], "weight", MaxLength, width);
        _layers = [.. Enumerable.Range(0, config.LayersOr(12, "num_hidden_layers")).Select(i => new ClipLayer(
            weights["encoder"]["layers"][i], width, config.SizeOr(2048, "intermediate_size"), heads, activation, epsilon))];
        _finalNorm = new LayerNorm(weights["final_layer_norm"], width, epsilon);
    }

    /// <summary>Longest text in tokens.</summary>
    public int MaxLength { get; }

    /// <summary>Elements of a state.</summary>
    public int Width { get; }

    /// <summary>Layers.</summary>
    public int LayerCount => _layers.Length;

    /// <summary>States after <paramref name="layers"/> layers, [B, L, width]; after all of them behind the final norm.</summary>
    /// <param name="ids">[B, L], I32.</param>
    /// <param name="layers">How many layers to run.</param>
    /// <param name="mask">[B, L] I32, nonzero where a position is text; null where all are.</param>
    /// <exception cref="ArgumentException">Longer than the position table, or an unknown id.</exception>
    public Tensor Encode(Tensor ids, int layers, Tensor? mask = null)
    {
        if (ids.Rank != 2 || ids.Size(1) > MaxLength)
        {
            throw new ArgumentException($"clip text: got {ids.Shape}, expected [batch, at most {MaxLength}]");
        }
        using var scope = new TensorScope();
        Tensor? seen = mask?.To(DType.Bool).To(_tokens.Value.Device).Unsqueeze(1).Unsqueeze(1);
        Tensor x = Ops.Embedding(_tokens.Value, ids) + _positions.Value.Slice(0, 0, ids.Size(1));
        for (int i = 0; i < layers; i++)
        {
            x = _layers[i].Forward(x, causal: true, seen);
        }
        return scope.Keep(layers == _layers.Length ? _finalNorm.Forward(x) : x);
    }

    /// <summary>The state at each text's end, [B, width], from <see cref="Encode"/>'s last states: at the first end-of-text id.</summary>
    public Tensor Pool(Tensor lastStates, Tensor ids)
    {
        using var scope = new TensorScope();
        int[] values = ids.ToArray<int>();
        int length = ids.Size(1);
        int[] rows = [.. Enumerable.Range(0, ids.Size(0)).Select(b =>
        {
            ReadOnlySpan<int> text = values.AsSpan(b * length, length);
            int at = text.IndexOf(_eos == LegacyEos ? values.Skip(b * length).Take(length).Max() : _eos);
            return (b * length) + Math.Max(at, 0);
        })];
        return scope.Keep(lastStates.Reshape(-1, Width).IndexSelect(0, Tensor.From(rows, [rows.Length])));
    }

    /// <inheritdoc/>
    public void Dispose() => _owned.Dispose();
}
