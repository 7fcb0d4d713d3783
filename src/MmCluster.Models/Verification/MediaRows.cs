using MmCluster.Models.Backbones;
using MmCluster.Models.Catalog;
using MmCluster.Models.Projectors;
using MmCluster.Tensors;

namespace MmCluster.Models.Verification;

/// <summary>The media of a comparison: preprocessed pictures, what becomes of them, and their rows among a prompt's embeddings.</summary>
internal sealed class MediaRows : IDisposable
{
    private readonly MediaPath? _path;
    private readonly Tensor? _pixels;
    private readonly Tensor? _instruction;
    private readonly Tensor? _instructionMask;
    private readonly int? _placeholder;

    public MediaRows(LoadedModel model, GoldenCase golden)
    {
        if (model.Paths.Count > 0 && golden.Has("pixel_values"))
        {
            _path = model.Paths[0];
            _pixels = Frames(golden.Floats("pixel_values"));
            _instruction = Words(golden, "qformer_input_ids", _pixels.Size(0));
            _instructionMask = Words(golden, "qformer_attention_mask", _pixels.Size(0));
            _placeholder = model.SpecialTokens.Media ?? throw new NotSupportedException("the configuration names no placeholder for media");
        }
    }

    /// <summary>
    /// <c>image_features</c> (behind the projectors), <c>vision</c> (the encoder's output) and <c>qformer</c> (the Q-Former's), or null.
    /// </summary>
    public Tensor? Output(string name) => (_path, name) switch
    {
        (null, _) => null,
        (_, "image_features") => Features(),
        (_, "vision") => _path.Encoder.Encode(_pixels!),
        (_, "qformer") when _path.Projectors is [QFormerProjector qformer, ..] => Through(qformer),
        _ => null,
    };

    /// <summary>
    /// Embeds ids and puts features at the placeholders: item after item in the order of <paramref name="places"/> (row by row), starting with the first.
    /// </summary>
    public Tensor Embed(IBackbone backbone, int[] ids, IReadOnlyList<(int Row, int Column)> places)
    {
        int[] targets = [.. Enumerable.Range(0, ids.Length).Where(i => ids[i] == _placeholder).OrderBy(i => places[i].Row).ThenBy(i => places[i].Column)];
        using var scope = new TensorScope();
        Tensor embedded = backbone.Embed(Tensor.From([.. ids.Select(id => id == _placeholder ? 0 : id)], [ids.Length]));
        if (targets.Length == 0)
        {
            return scope.Keep(embedded);
        }
        Tensor features = Features();
        int items = targets.Length / features.Size(1);
        if (items * features.Size(1) != targets.Length || items > features.Size(0))
        {
            throw new InvalidDataException($"the prompt has {targets.Length} media tokens, the features are {features.Size(0)} x {features.Size(1)}");
        }
        Tensor rows = features.Slice(0, 0, items).Reshape(targets.Length, features.Size(2));
        return scope.Keep(embedded.ScatterRows(Tensor.From(targets, [targets.Length]), rows));
    }

    public void Dispose()
    {
        _pixels?.Dispose();
        _instruction?.Dispose();
        _instructionMask?.Dispose();
    }

    private Tensor Features() => _path!.Features(_pixels!, _instruction, _instructionMask);

    // A film [B, frames, 3, h, w] is as many pictures.
    private static Tensor Frames(Tensor pixels)
    {
        if (pixels.Rank != 5)
        {
            return pixels;
        }
        using (pixels)
        {
            return pixels.Reshape(pixels.Size(0) * pixels.Size(1), pixels.Size(2), pixels.Size(3), pixels.Size(4));
        }
    }

    // Each row's instruction for each of its pictures.
    private static Tensor? Words(GoldenCase golden, string input, int pictures)
    {
        if (!golden.Has(input))
        {
            return null;
        }
        int[,] ids = golden.Ids(input);
        int columns = ids.GetLength(1);
        int each = pictures / ids.GetLength(0);
        if (each * ids.GetLength(0) != pictures)
        {
            throw new InvalidDataException($"{golden.Folder}: in.{input} has {ids.GetLength(0)} rows for {pictures} pictures");
        }
        int[] repeated = [.. Enumerable.Range(0, pictures).SelectMany(picture => Enumerable.Range(0, columns).Select(column => ids[picture / each, column]))];
        return Tensor.From(repeated, [pictures, columns]);
    }

    private Tensor Through(QFormerProjector qformer)
    {
        using var scope = new TensorScope();
        return scope.Keep(qformer.States(_path!.Encoder.Encode(_pixels!), _instruction, _instructionMask));
    }
}
