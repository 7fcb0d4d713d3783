using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;

namespace MmCluster.Models.Tests;

/// <summary>A golden case copied to a folder of the test's own, to be changed there.</summary>
internal static class GoldenCopy
{
    public static void To(TemporaryFolder folder, string name)
    {
        foreach (string file in Directory.GetFiles(Repository.Golden(name)))
        {
            File.Copy(file, folder.File(Path.GetFileName(file)));
        }
    }

    public static void Edit(TemporaryFolder folder, string file, Action<JsonObject> change)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(folder.File(file)))!.AsObject();
        change(json);
        File.WriteAllText(folder.File(file), json.ToJsonString());
    }

    /// <summary>Rewrites a safetensors file with other keys; a key that becomes null is dropped with its bytes.</summary>
    public static void RenameKeys(TemporaryFolder folder, string file, Func<string, string?> rename)
    {
        byte[] bytes = File.ReadAllBytes(folder.File(file));
        int size = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        JsonObject header = JsonNode.Parse(bytes.AsSpan(8, size))!.AsObject();
        JsonObject renamed = [];
        List<byte> data = [];
        foreach ((string key, JsonNode? entry) in header)
        {
            if (key == "__metadata__" || rename(key) is not { } name)
            {
                continue;
            }
            JsonArray offsets = entry!["data_offsets"]!.AsArray();
            int start = data.Count;
            data.AddRange(bytes[(8 + size + offsets[0]!.GetValue<int>())..(8 + size + offsets[1]!.GetValue<int>())]);
            renamed[name] = new JsonObject
            {
                ["dtype"] = entry["dtype"]!.GetValue<string>(),
                ["shape"] = entry["shape"]!.DeepClone(),
                ["data_offsets"] = new JsonArray(start, data.Count),
            };
        }
        byte[] json = Encoding.UTF8.GetBytes(renamed.ToJsonString());
        File.WriteAllBytes(folder.File(file), [.. BitConverter.GetBytes((long)json.Length), .. json, .. data]);
    }
}
