using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Models.Layers;

/// <summary>The rope table of a network's positions, shared by its layers.</summary>
internal static class RopeTables
{
    /// <summary>Cosines and sines of positions 0 to <paramref name="positions"/> - 1; they belong to <paramref name="owner"/> and lie on <paramref name="device"/>.</summary>
    public static RopeTable Make(RopeParameters rope, int positions, Ownership owner, Device device)
    {
        int half = rope.Dimensions / 2;
        using Tensor cosines = Tensor.Empty([positions, half]);
        using Tensor sines = Tensor.Empty([positions, half]);
        for (int position = 0; position < positions; position++)
        {
            rope.Angles(position, cosines.Row<float>(position), sines.Row<float>(position));
        }
        return new RopeTable(owner.Add(cosines.To(device)), owner.Add(sines.To(device)));
    }
}
