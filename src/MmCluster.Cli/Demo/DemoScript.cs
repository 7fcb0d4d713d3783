using System.Text.Json;
using System.Text.Json.Serialization;
using MmCluster.Models;

namespace MmCluster.Cli.Demo;

/// <summary>What a model brings to be shown with: <c>demo/demo.json</c> in its folder.</summary>
/// <param name="Image">The scene's picture.</param>
/// <param name="Questions">What is asked about it, and about the user's picture.</param>
internal sealed record DemoScript(string Image, IReadOnlyList<string> Questions)
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
    };

    /// <summary>Reads a model's script.</summary>
    /// <exception cref="MmException">NotFound: the model has none. InvalidArgument: it is broken.</exception>
    public static DemoScript Read(string modelFolder)
    {
        string file = Path.Combine(modelFolder, "demo", "demo.json");
        if (!File.Exists(file))
        {
            throw new MmException(MmErrorCode.NotFound, $"{file}: no such file; the model has no demo");
        }
        try
        {
            DemoFile script = JsonSerializer.Deserialize<DemoFile>(File.ReadAllBytes(file), Options)
                ?? throw new JsonException("it is null");
            return new DemoScript(Path.Combine(modelFolder, "demo", script.Image), script.Questions);
        }
        catch (JsonException error)
        {
            throw new MmException(MmErrorCode.InvalidArgument, $"{file}: {error.Message}", error);
        }
    }

    private sealed record DemoFile(int Schema, string Image, IReadOnlyList<string> Questions);
}
