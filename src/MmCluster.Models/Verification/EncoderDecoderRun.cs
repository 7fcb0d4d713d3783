using MmCluster.Models.Backbones;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Models.Verification;

/// <summary>
/// An encoder-decoder on padded rows, with or without media in the encoder's input. Knows <c>encoder</c> (its output, masked positions too), <c>logits</c>, <c>last_hidden</c>, <c>hidden_k</c>
/// of the decoder, and <c>greedy</c> (row 0 alone, from the decoder's start id).
/// </summary>
internal sealed class EncoderDecoderRun : IGoldenRun
{
    private readonly LoadedModel _model;
    private readonly T5Backbone _backbone;
    private readonly VerifyOptions _options;
    private readonly int[,] _ids;
    private readonly int[,]? _mask;
    private readonly int[,]? _decoderIds;
    private readonly int[,]? _decoderMask;
    private readonly MediaRows _media;
    private readonly Dictionary<int, Tensor> _states = [];

    public EncoderDecoderRun(LoadedModel model, GoldenCase golden, VerifyOptions options)
    {
        _options = options;
        _model = model;
        _backbone = model.Backbone as T5Backbone ?? throw new NotSupportedException("the model is no text encoder-decoder");
        _ids = golden.Ids("input_ids");
        _mask = golden.Has("attention_mask") ? golden.Ids("attention_mask") : null;
        _media = new MediaRows(model, golden);
        _decoderIds = golden.Has("decoder_input_ids") ? golden.Ids("decoder_input_ids") : null;
        _decoderMask = golden.Has("decoder_attention_mask") ? golden.Ids("decoder_attention_mask") : null;
    }

    private BackboneSpec Spec => _backbone.Spec;

    private int Rows => _ids.GetLength(0);

    public Tensor? Output(string name, IReadOnlyList<long> expected) => name switch
    {
        "encoder" => Encode(),
        "logits" => Compute(State(Spec.LayerCount), state => _backbone.Logits(Finish(state))),
        "last_hidden" => Compute(State(Spec.LayerCount), Finish),
        "greedy" => Greedy(checked((int)expected[^1])),
        _ when name.StartsWith("hidden_", StringComparison.Ordinal) && int.TryParse(name.AsSpan(7), out int layer) && layer >= 0 && layer <= Spec.LayerCount =>
            layer == Spec.LayerCount ? Output("last_hidden", expected) : State(layer).Clone(),
        _ => _media.Output(name),
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

    private Tensor Finish(Tensor state) => _backbone.Finish(state.To(_options.Device).To(Spec.ActivationType));

    // A state is kept for later outputs: it comes from outside the scope.
    private static Tensor Compute(Tensor state, Func<Tensor, Tensor> work)
    {
        using var scope = new TensorScope();
        return scope.Keep(work(state));
    }

    private Tensor Encode()
    {
        using var scope = new TensorScope();
        (int, int)[] places = [.. Enumerable.Range(0, _ids.Length).Select(i => Math.DivRem(i, _ids.GetLength(1)))];
        Tensor embedded = _media.Embed(_backbone, [.. _ids.Cast<int>()], places).Reshape(Rows, _ids.GetLength(1), Spec.EmbeddingSize);
        Tensor? mask = _mask is null ? null : Flat(_mask).Reshape(Rows, _mask.GetLength(1)).To(DType.Bool).To(_options.Device);
        return scope.Keep(_backbone.Encode(embedded, mask));
    }

    private Tensor State(int layer)
    {
        if (_states.Count == 0)
        {
            RunLayers(_decoderIds ?? throw new InvalidDataException("io.safetensors has no in.decoder_input_ids"));
        }
        return _states[layer];
    }

    private void RunLayers(int[,] decoderIds)
    {
        using var scope = new TensorScope();
        int memoryBlocks = PagedSession.BlocksFor(_ids.GetLength(1));
        RaggedRows rows = new(Rows, decoderIds.GetLength(1), _decoderMask, positionsSkipPadding: false);
        using PagedSession session = new(_backbone, _options.Device, rows.Blocks, memoryBlocks * Rows);
        Tensor encoded = Encode();
        int[] lengths = [.. Enumerable.Range(0, Rows).Select(row => AppendMemory(session, encoded, row, memoryBlocks))];
        Tensor hidden = _backbone.Embed(Tensor.From([.. rows.Tokens.Select(token => decoderIds[token.Row, token.Column])], [rows.Tokens.Count]));
        PagedBatch batch = rows.Batch();
        PagedBatch cross = rows.CrossBatch(lengths, memoryBlocks);
        _states[0] = scope.Keep(rows.Pad(hidden, Rows));
        for (int layer = 0; layer < Spec.LayerCount; layer++)
        {
            hidden = session.Forward(hidden, batch, layer, layer + 1, cross);
            _states[layer + 1] = scope.Keep(rows.Pad(hidden, Rows));
        }
    }

    // Only positions that are text become keys: the decoder must not see the others.
    private int AppendMemory(PagedSession session, Tensor encoded, int row, int memoryBlocks)
    {
        int[] seen = [.. Enumerable.Range(0, _ids.GetLength(1)).Where(column => _mask is null || _mask[row, column] != 0)];
        Tensor memory = encoded.Select(0, row).IndexSelect(0, Tensor.From(seen, [seen.Length]));
        int first = row * memoryBlocks * PagedKv.BlockSize;
        _backbone.AppendCross(memory, session.Cross, new PagedBatch
        {
            QueryStarts = Tensor.Of(0, seen.Length),
            SequenceLengths = Tensor.Of(seen.Length),
            BlockTables = Tensor.From([.. Enumerable.Range(row * memoryBlocks, memoryBlocks)], [1, memoryBlocks]),
            SlotMapping = Tensor.From([.. Enumerable.Range(first, seen.Length)], [seen.Length]),
            Positions = Tensor.From([.. Enumerable.Range(0, seen.Length)], [seen.Length]),
        }.To(_options.Device));
        return seen.Length;
    }

    private Tensor Greedy(int length)
    {
        int start = _model.SpecialTokens.DecoderStart ?? throw new InvalidDataException($"{_model.Folder}: no decoder_start_token_id");
        int memoryBlocks = PagedSession.BlocksFor(_ids.GetLength(1));
        List<int> ids = [start];
        using PagedSession session = new(_backbone, _options.Device, PagedSession.BlocksFor(length), memoryBlocks);
        int memoryLength;
        using (new TensorScope())
        {
            memoryLength = AppendMemory(session, Encode(), 0, memoryBlocks);
        }
        while (ids.Count < length)
        {
            using var scope = new TensorScope();
            PagedBatch batch = PagedSession.OneSequence(ids.Count - 1, 1);
            PagedBatch cross = new()
            {
                QueryStarts = batch.QueryStarts,
                SequenceLengths = Tensor.Of(memoryLength),
                BlockTables = Tensor.From([.. Enumerable.Range(0, memoryBlocks)], [1, memoryBlocks]),
                SlotMapping = batch.SlotMapping,
                Positions = batch.Positions,
            };
            Tensor states = session.Forward(_backbone.Embed(Tensor.Of(ids[^1])), batch, 0, Spec.LayerCount, cross);
            ids.Add(PagedSession.Best(_backbone.Logits(_backbone.Finish(states))));
        }
        return Tensor.From([.. ids.Select(id => (long)id)], [1, ids.Count]);
    }

    private static Tensor Flat(int[,] ids) => Tensor.From([.. ids.Cast<int>()], [ids.Length]);
}
