using MmCluster.Models.Catalog;
using MmCluster.Models.Checkpoints;
using MmCluster.Tensors;

namespace MmCluster.Models.Tests.Backbones;

/// <summary>
/// What quantized kernels add on top of quantized weights: logits against F32 arithmetic on the same weights, dequantized and written as a
/// checkpoint of their own.
/// </summary>
public sealed class QuantizedLogitsTests
{
    private const double Tolerance = 2e-2;

    private static readonly int[] Ids = [.. Enumerable.Range(0, 45).Select(i => 7 + (i * 7919 % 300))];

    [Theory]
    [InlineData("llama_gqa", DType.Q8_0)]
    [InlineData("llama_gqa", DType.Q4_0)]
    [InlineData("qwen2", DType.Q8_0)]
    [InlineData("qwen2", DType.Q4_0)]
    [InlineData("qwen2", DType.BF16)]
    public void Logits_are_those_of_F32_on_the_dequantized_weights(string name, DType dtype)
    {
        using var folder = new TemporaryFolder();
        GoldenCopy.To(folder, name);
        File.WriteAllBytes(folder.File("model.safetensors"), Dequantized(Repository.Golden(name), dtype));
        float[] expected = Logits(folder.Path, DType.F32);
        float[] actual = Logits(Repository.Golden(name), dtype);
        Assert.InRange(RelativeError(actual, expected), 0, Tolerance);
    }

    [Fact]
    public void The_comparison_would_see_weights_that_were_not_quantized()
    {
        float[] exact = Logits(Repository.Golden("qwen2"), DType.F32);
        float[] coarse = Logits(Repository.Golden("qwen2"), DType.Q4_0);
        Assert.True(RelativeError(coarse, exact) > Tolerance);
    }

    private static byte[] Dequantized(string folder, DType dtype)
    {
        using var checkpoint = Checkpoint.Open(folder);
        return SafetensorsWriter.F32([.. checkpoint.Tensors.Values.Select(stored => (stored.Key, stored.Shape.ToArray(), Round(stored, dtype)))]);
    }

    private static float[] Round(StoredTensor stored, DType dtype)
    {
        float[] values = new float[stored.ElementCount];
        stored.Read(0, values);
        if (stored.Shape.Count != 2)
        {
            return values;
        }
        using var scope = new TensorScope();
        using LinearWeight packed = LinearWeight.Pack(Tensor.From(values, [(int)stored.Shape[0], (int)stored.Shape[1]]), dtype);
        return packed.Dequantize().ToArray<float>();
    }

    private static float[] Logits(string folder, DType dtype)
    {
        using LoadedModel model = LoadedModel.Load(folder, new LoadOptions { Backbone = dtype });
        using PagedRun run = new(model.Backbone!, Ids.Length);
        return run.Logits(Ids, Ids.Length);
    }

    private static double RelativeError(float[] actual, float[] expected)
    {
        double difference = actual.Zip(expected, (a, e) => ((double)a - e) * ((double)a - e)).Sum();
        return Math.Sqrt(difference / expected.Sum(e => (double)e * e));
    }
}
