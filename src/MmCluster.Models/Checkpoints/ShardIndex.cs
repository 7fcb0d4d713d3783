using System.Text.Json;

namespace MmCluster.Models.Checkpoints;

/// <summary>The index of a sharded checkpoint (model.safetensors.index.json, pytorch_model.bin.index.json): which file holds which tensor.</summary>
internal static class ShardIndex
{
    private const long MaxBytes = 64L << 20;

    /// <summary>Keys to file names; the names have no folder part, so that an index cannot reach outside its folder.</summary>
    public static Dictionary<string, string> Read(string path)
    {
        if (new FileInfo(path).Length > MaxBytes)
        {
            throw new InvalidDataException($"{path}: larger than {MaxBytes} bytes, no index is");
        }
        try
        {
            using FileStream stream = File.OpenRead(path);
            using JsonDocument document = JsonDocument.Parse(stream);
            Dictionary<string, string> map = [];
            foreach (JsonProperty entry in document.RootElement.GetProperty("weight_map").EnumerateObject())
            {
                string file = entry.Value.GetString() ?? "";
                if (file.Length == 0 || file != Path.GetFileName(file) || file is "." or ".." || file.Contains('\\'))
                {
                    throw new InvalidDataException($"{path}: tensor '{entry.Name}' is said to be in '{file}', which is no file name of this folder");
                }
                if (!map.TryAdd(entry.Name, file))
                {
                    throw new InvalidDataException($"{path}: tensor '{entry.Name}' is listed twice");
                }
            }
            return map;
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}: not an index of shards: {error.Message}", error);
        }
    }
}
