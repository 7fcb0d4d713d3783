using MmCluster.Models.Checkpoints;
using MmCluster.Models.Encoders;
using MmCluster.Tensors;

namespace MmCluster.Models.Verification;

/// <summary>CLIP's text tower alone. Knows <c>hidden_k</c> (before the final norm), <c>penultimate</c>, <c>last_hidden</c> and <c>pooled</c>.</summary>
internal sealed class TextEncoderRun : IGoldenRun
{
    private readonly ClipTextEncoder _encoder;
    private readonly Tensor _ids;
    private readonly Tensor? _mask;

    public TextEncoderRun(GoldenCase golden, VerifyOptions options)
    {
        using Checkpoint checkpoint = Checkpoint.Open(golden.Folder);
        WeightLoader loader = new(checkpoint, KeyLayouts.ClipText, new WeightOptions { Matrices = options.Matrices, Device = options.Device });
        _encoder = new ClipTextEncoder(ModelConfig.Read(Path.Combine(golden.Folder, "config.json")), loader.Root);
        loader.Load();
        _ids = Rows(golden.Ids("input_ids"));
        _mask = golden.Has("attention_mask") ? Rows(golden.Ids("attention_mask")) : null;
    }

    public Tensor? Output(string name, IReadOnlyList<long> expected)
    {
        int layers = _encoder.LayerCount;
        return name switch
        {
            "last_hidden" => _encoder.Encode(_ids, layers, _mask),
            "penultimate" => _encoder.Encode(_ids, layers - 1, _mask),
            "pooled" => Pool(),
            _ when name.StartsWith("hidden_", StringComparison.Ordinal) && int.TryParse(name.AsSpan(7), out int layer) && layer >= 0 && layer < layers => _encoder.Encode(_ids, layer, _mask),
            _ => null,
        };
    }

    public void Dispose()
    {
        _ids.Dispose();
        _mask?.Dispose();
        _encoder.Dispose();
    }

    private static Tensor Rows(int[,] values) => Tensor.From([.. values.Cast<int>()], [values.GetLength(0), values.GetLength(1)]);

    private Tensor Pool()
    {
        using Tensor states = _encoder.Encode(_ids, _encoder.LayerCount, _mask);
        return _encoder.Pool(states, _ids);
    }
}
