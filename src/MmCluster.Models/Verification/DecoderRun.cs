using MmCluster.Models.Backbones;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Models.Verification;

/// <summary>
/// A decoder-only model, with or without media in its prompt, on padded rows of ids. Everything runs through paged KV, as when serving. Knows
/// <c>logits</c>, <c>hidden_k</c> (after layer k; 0 is what the first one gets), <c>last_hidden</c> (after the final norm), <c>penultimate</c>,
/// <c>greedy</c> (row 0 alone) and what <see cref="MediaRows"/> knows.
/// </summary>
internal sealed class DecoderRun : IGoldenRun
{
    private readonly LoadedModel _model;
    private readonly IBackbone _backbone;
    private readonly VerifyOptions _options;
    private readonly int[,] _ids;
    private readonly int[,]? _mask;
    private readonly MediaRows _media;
    private readonly Dictionary<int, Tensor> _states = [];

    public DecoderRun(LoadedModel model, GoldenCase golden, VerifyOptions options)
    {
        _options = options;
        _model = model;
        _backbone = model.Backbone ?? throw new NotSupportedException("the model has no language model");
        _ids = golden.Ids("input_ids");
        _mask = golden.Has("attention_mask") ? golden.Ids("attention_mask") : null;
        _media = new MediaRows(model, golden);
    }

    private BackboneSpec Spec => _backbone.Spec;

    private int Rows => _ids.GetLength(0);

    private int Columns => _ids.GetLength(1);

    public Tensor? Output(string name, IReadOnlyList<long> expected) => name switch
    {
        "logits" => Compute(State(Spec.LayerCount), Logits),
        "last_hidden" => Compute(State(Spec.LayerCount), state => Finish(state).Reshape(Rows, Columns, Spec.OutputSize)),
        "penultimate" => State(Spec.LayerCount - 1).Clone(),
        "greedy" => Greedy(checked((int)expected[^1])),
        _ => HiddenIndex(name) is { } layer ? Output(layer) : _media.Output(name),
    };

    public void Dispose()
    {
        foreach (Tensor state in _states.Values)
        {
            state.Dispose();
        }
        _media.Dispose();
        _model.Dispose();
    }

    private Tensor? Output(int layer) =>
        layer < Spec.LayerCount ? State(layer).Clone() : layer == Spec.LayerCount ? Output("last_hidden", []) : null;

    private static int? HiddenIndex(string name) =>
        name.StartsWith("hidden_", StringComparison.Ordinal) && int.TryParse(name.AsSpan(7), out int layer) && layer >= 0 ? layer : null;

    // A state is kept for later outputs: it comes from outside the scope.
    private static Tensor Compute(Tensor state, Func<Tensor, Tensor> work)
    {
        using var scope = new TensorScope();
        return scope.Keep(work(state));
    }

    private Tensor Finish(Tensor state) => _backbone.Finish(state.To(_options.Device).To(Spec.ActivationType));

    private Tensor Logits(Tensor state) => _backbone.Logits(Finish(state)).Reshape(Rows, Columns, Spec.VocabularySize);

    // [B, T, hidden] after so many layers; one pass computes them all.
    private Tensor State(int layer)
    {
        if (_states.Count == 0)
        {
            RunLayers();
        }
        return _states[layer];
    }

    private void RunLayers()
    {
        using var scope = new TensorScope();
        RaggedRows rows = new(Rows, Columns, _mask, _backbone is OptBackbone);
        using PagedSession session = new(_backbone, _options.Device, rows.Blocks);
        int[] ids = [.. rows.Tokens.Select(token => _ids[token.Row, token.Column])];
        Tensor hidden = _media.Embed(_backbone, ids, rows.Tokens);
        PagedBatch batch = rows.Batch();
        _states[0] = scope.Keep(rows.Pad(session.Forward(hidden, batch, 0, 0), Rows)); // with what is added before the first layer
        for (int layer = 0; layer < Spec.LayerCount; layer++)
        {
            hidden = session.Forward(hidden, batch, layer, layer + 1);
            _states[layer + 1] = scope.Keep(rows.Pad(hidden, Rows));
        }
    }

    private Tensor Greedy(int length)
    {
        int[] columns = [.. Enumerable.Range(0, Columns).Where(column => _mask is null || _mask[0, column] != 0)];
        List<int> ids = [.. columns.Select(column => _ids[0, column])];
        int generated = length - Columns;
        using PagedSession session = new(_backbone, _options.Device, PagedSession.BlocksFor(ids.Count + generated));
        int computed = 0;
        for (int i = 0; i < generated; i++)
        {
            using var scope = new TensorScope();
            int[] next = [.. ids[computed..]];
            Tensor hidden = computed == 0 ? _media.Embed(_backbone, next, [.. columns.Select(column => (0, column))]) : _backbone.Embed(Tensor.From(next, [next.Length]));
            Tensor states = session.Forward(hidden, PagedSession.OneSequence(computed, next.Length), 0, Spec.LayerCount);
            computed = ids.Count;
            Tensor logits = _backbone.Logits(_backbone.Finish(states.Slice(0, next.Length - 1)));
            ids.Add(PagedSession.Best(logits));
        }
        // Padding of the prompt is part of what the reference returns.
        long[] all = [.. Enumerable.Range(0, Columns).Select(column => (long)_ids[0, column]), .. ids[columns.Length..].Select(id => (long)id)];
        return Tensor.From(all, [1, all.Length]);
    }
}
