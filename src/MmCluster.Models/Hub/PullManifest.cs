using System.Text.Json;
using System.Text.Json.Serialization;

namespace MmCluster.Models.Hub;

/// <summary>What a model's folder was pulled from, kept in it as <c>.mm-pull/manifest.json</c>.</summary>
internal sealed record PullManifest
{
    private const string FileName = "manifest.json";

    /// <summary>The model, <c>ORG/NAME</c>.</summary>
    public required string Model { get; init; }

    /// <summary>The commit.</summary>
    public required string Commit { get; init; }

    /// <summary>Whether all files are here. Written false before the first byte, true after the last.</summary>
    public required bool Complete { get; init; }

    /// <summary>The digests of the files that were checked.</summary>
    public required IReadOnlyDictionary<string, string> Digests { get; init; }

    /// <summary>Reads a folder's manifest; null where there is none that can be read, as after a hand-made copy.</summary>
    public static PullManifest? TryRead(string folder)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(PathIn(folder)), PullManifestJson.Default.PullManifest);
        }
        catch (Exception error) when (error is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes it, whole or not at all.</summary>
    public void Write(string folder)
    {
        string temporary = PathIn(folder) + ".new";
        File.WriteAllBytes(temporary, JsonSerializer.SerializeToUtf8Bytes(this, PullManifestJson.Default.PullManifest));
        File.Move(temporary, PathIn(folder), overwrite: true);
    }

    private static string PathIn(string folder) => Path.Combine(folder, HubPath.StateFolder, FileName);
}

[JsonSerializable(typeof(PullManifest))]
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
internal sealed partial class PullManifestJson : JsonSerializerContext;
