using System.Security.Cryptography;
using System.Text.Json;

namespace MmCluster.Media.Tests.Images;

/// <summary>The pictures under tests/goldens/images and what Pillow makes of them.</summary>
internal static class Vectors
{
    private static readonly JsonElement Root = JsonDocument.Parse(File.ReadAllBytes(PathOf("pictures.json"))).RootElement;

    public static string PathOf(string file) => Path.Combine(AppContext.BaseDirectory, "images", file);

    public static byte[] Read(string file) => File.ReadAllBytes(PathOf(file));

    public static IReadOnlyList<JsonElement> Section(string name) => [.. Root.GetProperty(name).EnumerateArray()];

    public static string Sha(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
