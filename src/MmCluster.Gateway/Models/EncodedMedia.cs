using System.Runtime.InteropServices;
using MmCluster.Tensors;

namespace MmCluster.Gateway.Models;

/// <summary>What a backbone gets for a media item.</summary>
/// <param name="Positions">Positions that it takes in the prompt.</param>
/// <param name="Width">Values a position.</param>
/// <param name="Values">[positions, width] in F32, little-endian, row-major.</param>
public sealed record EncodedMedia(int Positions, int Width, ReadOnlyMemory<byte> Values)
{
    /// <summary>A copy of <paramref name="features"/>: [positions, width] in F32 on the CPU.</summary>
    public static EncodedMedia Of(Tensor features) =>
        new((int)features.Size(0), (int)features.Size(1), MemoryMarshal.AsBytes(features.AsReadOnlySpan<float>()).ToArray());
}
