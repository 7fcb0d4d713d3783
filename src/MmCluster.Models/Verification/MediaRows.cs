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
    private readonly int? _placeholder;

    public MediaRows(LoadedModel model, GoldenCase golden)
    {
        if (model.Paths.Count > 0 && golden.Has("pixel_values"))
        {
            _path = model.Paths[0];
            _pixels = golden.Floats("pixel_values");
            _placeholder = model.SpecialTokens.Media ?? throw new NotSupportedException("the configuration names no placeholder for media");
        }
    }

    /// <summary>
    /// <c>image_features</c> (behind the projectors), <c>vision</c> (the encoder's output) and <c>qformer</c> (the Q-Former's), or null.
    /// </summary>
    public Tensor? Output(string name) => (_path, name) switch
    {
        (null, _) => null,
        (_, "image_features") => _path.Features(_pixels!),
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
        Tensor features = _path!.Features(_pixels!);
        int items = targets.Length / features.Size(1);
        if (items * features.Size(1) != targets.Length || items > features.Size(0))
        {
            throw new InvalidDataException($"the prompt has {targets.Length} media tokens, the features are {features.Size(0)} x {features.Size(1)}");
        }
        Tensor rows = features.Slice(0, 0, items).Reshape(targets.Length, features.Size(2));
        return scope.Keep(embedded.ScatterRows(Tensor.From(targets, [targets.Length]), rows));
    }

    public void Dispose() => _pixels?.Dispose();

    private Tensor Through(QFormerProjector qformer)
    {
        using var scope = new TensorScope();
        return scope.Keep(qformer.Project(_path!.Encoder.Encode(_pixels!)));
    }
}
