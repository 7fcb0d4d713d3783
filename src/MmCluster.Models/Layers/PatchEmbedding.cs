using MmCluster.Models.Checkpoints;
using MmCluster.Tensors;

namespace MmCluster.Models.Layers;

/// <summary>A convolution whose stride is its kernel: pictures to a row of patch embeddings. One product over unrolled patches.</summary>
internal sealed class PatchEmbedding(WeightSource weights, int channels, int patch, int width, bool bias)
{
    private readonly Linear _linear = Linear.Unrolled(weights, [width, channels, patch, patch], bias);

    /// <summary>[B, channels, height, width] to [B, patches, width], row by row; pixels beyond the last whole patch are left out.</summary>
    public Tensor Forward(Tensor pixels)
    {
        using var scope = new TensorScope();
        int rows = pixels.Size(2) / patch;
        int columns = pixels.Size(3) / patch;
        Tensor patches = pixels.To(_linear.Weight.Device).To(_linear.Weight.InputType).Slice(2, 0, rows * patch).Slice(3, 0, columns * patch)
            .Reshape(pixels.Size(0), channels, rows, patch, columns, patch)
            .Permute(0, 2, 4, 1, 3, 5)
            .Reshape(pixels.Size(0), rows * columns, channels * patch * patch);
        return scope.Keep(_linear.Forward(patches));
    }
}
