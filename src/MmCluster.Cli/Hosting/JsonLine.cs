using System.Text.Encodings.Web;
using System.Text.Json;

namespace MmCluster.Cli.Hosting;

/// <summary>The one JSON object that <c>--json</c> prints.</summary>
internal static class JsonLine
{
    // Read by programs and people, never put into HTML: quotes and non-ASCII stay readable.
    private static readonly JsonSerializerOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Of<T>(T value) => JsonSerializer.Serialize(value, Options);
}
