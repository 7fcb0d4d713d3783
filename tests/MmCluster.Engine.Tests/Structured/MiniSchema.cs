using System.Text.Json;
using System.Text.RegularExpressions;

namespace MmCluster.Engine.Tests.Structured;

/// <summary>A plain validator for the keywords that the tests use.</summary>
internal static class MiniSchema
{
    public static bool Allows(JsonElement root, JsonElement schema, JsonElement value)
    {
        if (schema.TryGetProperty("$ref", out JsonElement reference))
        {
            string path = reference.GetString()!;
            return Allows(root, path == "#" ? root : root.GetProperty("$defs").GetProperty(path.Split('/')[^1]), value);
        }
        return (!schema.TryGetProperty("const", out JsonElement constant) || JsonElement.DeepEquals(constant, value))
            && (!schema.TryGetProperty("enum", out JsonElement options) || options.EnumerateArray().Any(option => JsonElement.DeepEquals(option, value)))
            && (!schema.TryGetProperty("anyOf", out JsonElement any) || any.EnumerateArray().Any(option => Allows(root, option, value)))
            && (!schema.TryGetProperty("allOf", out JsonElement all) || all.EnumerateArray().All(part => Allows(root, part, value)))
            && IsOfType(root, schema, value);
    }

    private static bool IsOfType(JsonElement root, JsonElement schema, JsonElement value)
    {
        if (!schema.TryGetProperty("type", out JsonElement type))
        {
            return value.ValueKind != JsonValueKind.Object || IsObject(root, schema, value);
        }
        string[] types = type.ValueKind == JsonValueKind.Array ? [.. type.EnumerateArray().Select(one => one.GetString()!)] : [type.GetString()!];
        return types.Any(one => IsType(root, schema, value, one));
    }

    // Compared as doubles, as most readers do.
    private static bool IsBetween(JsonElement schema, double value) =>
        (!schema.TryGetProperty("minimum", out JsonElement least) || value >= least.GetDouble())
        && (!schema.TryGetProperty("exclusiveMinimum", out JsonElement above) || value > above.GetDouble())
        && (!schema.TryGetProperty("maximum", out JsonElement most) || value <= most.GetDouble())
        && (!schema.TryGetProperty("exclusiveMaximum", out JsonElement below) || value < below.GetDouble());

    private static bool IsType(JsonElement root, JsonElement schema, JsonElement value, string type) => type switch
    {
        "null" => value.ValueKind == JsonValueKind.Null,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "integer" => value.ValueKind == JsonValueKind.Number && value.GetDouble() == Math.Floor(value.GetDouble()) && IsBetween(schema, value.GetDouble()),
        "number" => value.ValueKind == JsonValueKind.Number && IsBetween(schema, value.GetDouble()),
        "string" => value.ValueKind == JsonValueKind.String
            && (!schema.TryGetProperty("maxLength", out JsonElement most) || value.GetString()!.EnumerateRunes().Count() <= most.GetInt32())
            && (!schema.TryGetProperty("pattern", out JsonElement pattern) || Regex.IsMatch(value.GetString()!, pattern.GetString()!))
            && (!schema.TryGetProperty("format", out _) || DateOnly.TryParse(value.GetString(), out _) || value.GetString()!.StartsWith("0000", StringComparison.Ordinal)),
        "array" => value.ValueKind == JsonValueKind.Array
            && value.GetArrayLength() >= (schema.TryGetProperty("minItems", out JsonElement minItems) ? minItems.GetInt32() : 0)
            && value.GetArrayLength() <= (schema.TryGetProperty("maxItems", out JsonElement maxItems) ? maxItems.GetInt32() : int.MaxValue)
            && value.EnumerateArray().Select((item, index) => Allows(root, ItemSchema(schema, index), item)).All(allowed => allowed),
        _ => value.ValueKind == JsonValueKind.Object && IsObject(root, schema, value),
    };

    private static JsonElement ItemSchema(JsonElement schema, int index) =>
        schema.TryGetProperty("prefixItems", out JsonElement first) && index < first.GetArrayLength() ? first[index] : schema.GetProperty("items");

    private static bool IsObject(JsonElement root, JsonElement schema, JsonElement value)
    {
        bool complete = !schema.TryGetProperty("required", out JsonElement required)
            || required.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _));
        JsonElement? properties = schema.TryGetProperty("properties", out JsonElement named) ? named : null;
        return complete && value.EnumerateObject().All(member =>
            properties?.TryGetProperty(member.Name, out JsonElement rule) == true ? Allows(root, rule, member.Value)
            : !schema.TryGetProperty("additionalProperties", out JsonElement more)
                || (more.ValueKind != JsonValueKind.False && (more.ValueKind == JsonValueKind.True || Allows(root, more, member.Value))));
    }
}
