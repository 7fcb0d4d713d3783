using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace MmCluster.Models.Tests;

/// <summary>Writes small safetensors files: F32 tensors, or a header as the test wants it.</summary>
internal static class SafetensorsWriter
{
    public static byte[] WithHeader(string header, int dataBytes)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] file = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, json.Length);
        json.CopyTo(file, 8);
        return file;
    }

    public static byte[] F32(params (string Key, long[] Shape, float[] Values)[] tensors)
    {
        Dictionary<string, object> header = [];
        long offset = 0;
        foreach ((string key, long[] shape, float[] values) in tensors)
        {
            header[key] = new Dictionary<string, object> { ["dtype"] = "F32", ["shape"] = shape, ["data_offsets"] = new[] { offset, offset + (values.Length * 4) } };
            offset += values.Length * 4;
        }
        byte[] file = WithHeader(JsonSerializer.Serialize(header), (int)offset);
        int at = file.Length - (int)offset;
        foreach (float value in tensors.SelectMany(tensor => tensor.Values))
        {
            BinaryPrimitives.WriteSingleLittleEndian(file.AsSpan(at), value);
            at += 4;
        }
        return file;
    }
}
