using System.Buffers.Binary;
using System.Runtime.InteropServices;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.OpenAi;
using MmCluster.Protos.V1;
using Modality = MmCluster.Models.Cards.Modality;

namespace MmCluster.Gateway.Grpc;

/// <summary>Reads media that their sender has prepared: pixels of a picture, or features. Whether their shape fits, the model says.</summary>
internal static class MediaTensor
{
    private const int PixelRank = 3;
    private const int FeatureRank = 2;

    /// <summary>The item of <paramref name="tensor"/>, in F32; <paramref name="path"/> names the part in errors.</summary>
    /// <exception cref="MmCluster.Models.MmException">InvalidArgument: another dtype or rank, bytes that are not as many as the shape says, a value that is no number.</exception>
    public static MediaItem Read(TensorData tensor, string path)
    {
        int size = tensor.Dtype switch
        {
            "F32" => sizeof(float),
            "F16" or "BF16" => sizeof(ushort),
            _ => throw FieldReader.Invalid(path + ".tensor.dtype", $"'{path}.tensor.dtype' must be F32, F16 or BF16, not '{tensor.Dtype}'"),
        };
        if (tensor.Shape.Count is not (PixelRank or FeatureRank) || tensor.Shape.Any(dimension => dimension <= 0))
        {
            throw FieldReader.Invalid(
                path + ".tensor.shape",
                $"'{path}.tensor.shape' must be [channels, height, width] of pixels or [positions, width] of features, not [{string.Join(", ", tensor.Shape)}]");
        }
        decimal wanted = tensor.Shape.Aggregate((decimal)size, (bytes, dimension) => bytes * dimension);
        if (tensor.Data.Length != wanted)
        {
            throw FieldReader.Invalid(
                path + ".tensor.data", $"'{path}.tensor.data' has {tensor.Data.Length} bytes; {tensor.Dtype} of [{string.Join(", ", tensor.Shape)}] is {wanted}");
        }
        float[] values = new float[tensor.Data.Length / size];
        for (int i = 0; i < values.Length; i++)
        {
            ReadOnlySpan<byte> element = tensor.Data.Span.Slice(i * size, size);
            values[i] = tensor.Dtype switch
            {
                "F32" => BinaryPrimitives.ReadSingleLittleEndian(element),
                "F16" => (float)BinaryPrimitives.ReadHalfLittleEndian(element),
                _ => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(element) << 16),
            };
            if (!float.IsFinite(values[i]))
            {
                throw FieldReader.Invalid(path + ".tensor.data", $"'{path}.tensor.data': value {i} is {values[i]}, no number");
            }
        }
        return new MediaItem(Modality.Image, MemoryMarshal.AsBytes(values.AsSpan()).ToArray(), path) { Shape = [.. tensor.Shape] };
    }
}
