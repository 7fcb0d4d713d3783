using System.Text.Json;
using MmCluster.Cli.Evaluation;

namespace MmCluster.Cli.Tests.Evaluation;

/// <summary>The evaluation set that ships with the small model, and what its reference in Python draws from it.</summary>
internal static class Shipped
{
    public static string Model { get; } = Path.Combine(AppContext.BaseDirectory, "models", "mini");

    public static string Folder { get; } = Path.Combine(Model, "eval");

    /// <summary>tests/goldens/mini/items.json: the first items of each task with scenes and pictures' digests.</summary>
    public static JsonElement Reference { get; } =
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "mini-items.json"))).RootElement;

    public static Task<EvalData> ReadAsync() => EvalData.ReadAsync(Folder, TestContext.Current.CancellationToken);
}
