using System.Text.Json;
using MmCluster.Models;

namespace MmCluster.Gateway.OpenAi;

/// <summary>
/// Reads fields of a request's JSON object. A field of a wrong kind or out of range is an InvalidArgument that names its path; fields that
/// nobody asks for are ignored, as OpenAI's clients expect.
/// </summary>
internal readonly struct FieldReader(JsonElement value, string path)
{
    /// <summary>The object's path in the request, empty at the top.</summary>
    public string Path => path;

    /// <summary>The whole object.</summary>
    public JsonElement Value => value;

    /// <summary>The field, or null when absent or JSON null.</summary>
    public JsonElement? Field(string name) =>
        value.TryGetProperty(name, out JsonElement field) && field.ValueKind != JsonValueKind.Null ? field : null;

    public string? String(string name) => Field(name) is not { } field ? null
        : field.ValueKind == JsonValueKind.String ? field.GetString() : throw Bad(name, "a string", field);

    public bool Bool(string name, bool fallback = false) => Field(name) is not { } field ? fallback
        : field.ValueKind is JsonValueKind.True or JsonValueKind.False ? field.GetBoolean() : throw Bad(name, "true or false", field);

    public int? Int(string name, int min, int max)
    {
        if (Field(name) is not { } field)
        {
            return null;
        }
        return field.ValueKind == JsonValueKind.Number && field.TryGetInt32(out int number) && number >= min && number <= max
            ? number
            : throw Bad(name, $"a whole number from {min} to {max}", field);
    }

    public float? Float(string name, float min, float max, bool minExcluded = false)
    {
        if (Field(name) is not { } field)
        {
            return null;
        }
        return field.ValueKind == JsonValueKind.Number && field.TryGetDouble(out double number) && number <= max
            && (minExcluded ? number > min : number >= min)
            ? (float)number
            : throw Bad(name, $"a number {(minExcluded ? "above" : "from")} {min} to {max}", field);
    }

    public FieldReader? Object(string name) => Field(name) is not { } field ? null
        : field.ValueKind == JsonValueKind.Object ? new FieldReader(field, PathOf(name)) : throw Bad(name, "an object", field);

    /// <summary>One string or an array of at most <paramref name="most"/>.</summary>
    public IReadOnlyList<string> Strings(string name, int most)
    {
        if (Field(name) is not { } field)
        {
            return [];
        }
        if (field.ValueKind == JsonValueKind.String)
        {
            return [field.GetString()!];
        }
        return field.ValueKind == JsonValueKind.Array && field.GetArrayLength() <= most
            && field.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
            ? [.. field.EnumerateArray().Select(item => item.GetString()!)]
            : throw Bad(name, $"a string or an array of at most {most} strings", field);
    }

    /// <summary>An array of whole numbers of at least 0.</summary>
    public int[]? Ints(string name)
    {
        if (Field(name) is not { } field)
        {
            return null;
        }
        return TryInts(field) ?? throw Bad(name, "an array of whole numbers", field);
    }

    /// <summary>The numbers of an array that holds nothing else, or null.</summary>
    public static int[]? TryInts(JsonElement field)
    {
        if (field.ValueKind != JsonValueKind.Array)
        {
            return null;
        }
        int[] numbers = new int[field.GetArrayLength()];
        int count = 0;
        foreach (JsonElement item in field.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out numbers[count++]) || numbers[count - 1] < 0)
            {
                return null;
            }
        }
        return numbers;
    }

    public MmException Bad(string name, string expected, JsonElement got) => Invalid(
        PathOf(name), $"'{PathOf(name)}' must be {expected}, not {Shorten(got.GetRawText())}");

    public MmException Missing(string name) => Invalid(PathOf(name), $"'{PathOf(name)}' is missing");

    public static MmException Invalid(string param, string message) => new(MmErrorCode.InvalidArgument, message) { Param = param };

    private string PathOf(string name) => path.Length == 0 ? name : $"{path}.{name}";

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..60] + "…";
}
