using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace MmCluster.Engine.Structured;

/// <summary>Given values as JSON text, spelled as a model would: letters beyond ASCII as they are.</summary>
internal static class JsonValues
{
    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The pattern of exactly this value.</summary>
    public static Pattern Exactly(JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? Text(value.GetString()!) : Pattern.Text(JsonSerializer.Serialize(value, Relaxed));

    /// <summary>The pattern of exactly this string.</summary>
    public static Pattern Text(string value) => JsonPatterns.Quoted(new Pattern.Sequence([.. value.EnumerateRunes().Select(Character)]));

    /// <summary>Whether a value is of a schema's type.</summary>
    public static bool IsOf(JsonElement value, string type) => type switch
    {
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out decimal number) && number == decimal.Truncate(number),
        "number" => value.ValueKind == JsonValueKind.Number,
        "string" => value.ValueKind == JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "null" => value.ValueKind == JsonValueKind.Null,
        "array" => value.ValueKind == JsonValueKind.Array,
        "object" => value.ValueKind == JsonValueKind.Object,
        _ => throw Pattern.Refuse($"the JSON schema: the type '{type}' is not known"),
    };

    private static Pattern Character(Rune rune) => rune.Value < ' ' && "\b\f\n\r\t".IndexOf((char)rune.Value, StringComparison.Ordinal) < 0
        ? Pattern.Text($"\\u{rune.Value:x4}")
        : JsonPatterns.InString(CharSet.Single(rune.Value));
}
