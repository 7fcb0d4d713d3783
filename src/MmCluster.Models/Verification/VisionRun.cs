using MmCluster.Models.Catalog;
using MmCluster.Models.Encoders;
using MmCluster.Tensors;

namespace MmCluster.Models.Verification;

/// <summary>
/// CLIP's vision tower alone. Knows <c>hidden_k</c> (0 is after the embeddings' norm), <c>last_hidden</c>, <c>penultimate</c> and <c>pooled</c>.
/// </summary>
internal sealed class VisionRun : IGoldenRun
{
    private readonly LoadedModel _model;
    private readonly ClipVisionEncoder _encoder;
    private readonly Tensor _pixels;
    private readonly int _layers;

    public VisionRun(LoadedModel model, GoldenCase golden)
    {
        _model = model;
        _encoder = model.Paths.Count > 0 && model.Paths[0].Encoder is ClipVisionEncoder clip ? clip : throw new NotSupportedException("the model has no CLIP vision tower");
        _pixels = golden.Floats("pixel_values");
        _layers = _encoder.LayerCount;
    }

    public Tensor? Output(string name, IReadOnlyList<long> expected)
    {
        using var scope = new TensorScope();
        Tensor? output = name switch
        {
            "last_hidden" => State(_layers),
            "penultimate" => State(_layers - 1),
            "pooled" => _encoder.Pool(State(_layers)),
            _ when name.StartsWith("hidden_", StringComparison.Ordinal) && int.TryParse(name.AsSpan(7), out int layer) && layer >= 0 && layer <= _layers => State(layer),
            _ => null,
        };
        return output is null ? null : scope.Keep(output);
    }

    public void Dispose()
    {
        _pixels.Dispose();
        _model.Dispose();
    }

    private Tensor State(int layer) => _encoder.HiddenStates(_pixels, layer)[layer];
}
