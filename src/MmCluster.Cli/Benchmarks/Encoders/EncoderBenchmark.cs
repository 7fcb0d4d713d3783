using System.Diagnostics;
using MmCluster.Models;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Models.Encoders;
using MmCluster.Tensors;

namespace MmCluster.Cli.Benchmarks.Encoders;

/// <summary>Times a model's first encoder and its projectors over batches of made-up pictures that are where the encoder is.</summary>
internal static class EncoderBenchmark
{
    private const double LeastSeconds = 0.25;

    /// <summary>Items a second of each measured run.</summary>
    /// <param name="folder">The model.</param>
    /// <param name="load">Where and how its weights are.</param>
    /// <param name="batch">Items at once.</param>
    /// <param name="repeat">Measured runs, after one that is not.</param>
    public static IReadOnlyList<double> Run(string folder, LoadOptions load, int batch, int repeat)
    {
        using var model = LoadedModel.Load(folder, load with { Components = component => component.Kind != ComponentKind.Backbone });
        MediaPath path = model.Paths.Count > 0 ? model.Paths[0]
            : throw new MmException(MmErrorCode.InvalidArgument, $"{folder}: the model has no encoder to time");
        EncoderSpec spec = path.Encoder.Spec;
        DType dtype = load.Device.IsCpu ? DType.F32 : load.Backbone == DType.F32 ? DType.F32 : DType.BF16;
        using var pixels = Tensor.Normal([batch, 3, spec.InputHeight, spec.InputWidth], seed: 1, dtype: dtype, device: load.Device);
        Encode(path, pixels, 1);
        int passes = 1;
        double seconds = Encode(path, pixels, passes);
        passes = Math.Clamp((int)Math.Ceiling(LeastSeconds / seconds), 1, 1000);
        return [.. Enumerable.Range(0, repeat).Select(_ => batch * passes / Encode(path, pixels, passes))];
    }

    private static double Encode(MediaPath path, Tensor pixels, int passes)
    {
        long start = Stopwatch.GetTimestamp();
        float last = 0;
        for (int i = 0; i < passes; i++)
        {
            using var scope = new TensorScope(recycle: true);
            Tensor features = path.Features(pixels);
            if (i == passes - 1)
            {
                // Reading one number waits for a device that runs behind.
                last = features.Slice(0, 0, 1).Slice(1, 0, 1).Slice(2, 0, 1).To(DType.F32).ToArray<float>()[0];
            }
        }
        return float.IsFinite(last) ? Stopwatch.GetElapsedTime(start).TotalSeconds
            : throw new MmException(MmErrorCode.Internal, "the encoder's features are no numbers");
    }
}
