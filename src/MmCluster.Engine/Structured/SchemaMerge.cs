using System.Text.Json;

namespace MmCluster.Engine.Structured;

/// <summary>
/// One JSON Schema that says what two say together: how <c>allOf</c>, and keywords beside <c>$ref</c>, <c>anyOf</c> or <c>oneOf</c>, are kept.
/// </summary>
internal static class SchemaMerge
{
    private static readonly HashSet<string> Lower = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
    private static readonly HashSet<string> Upper = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];

    /// <exception cref="Models.MmException">InvalidArgument: both have a keyword whose meaning together is no single schema.</exception>
    public static JsonElement Both(JsonElement one, JsonElement other)
    {
        if (one.ValueKind != JsonValueKind.Object || other.ValueKind != JsonValueKind.Object)
        {
            // true adds nothing, false leaves nothing; anything else is refused where it is read.
            return one.ValueKind == JsonValueKind.True ? other : other.ValueKind == JsonValueKind.True ? one : one.ValueKind == JsonValueKind.Object ? other : one;
        }
        RefuseClosed(one, other);
        RefuseClosed(other, one);
        Dictionary<string, JsonElement> merged = one.EnumerateObject().ToDictionary(property => property.Name, property => property.Value);
        foreach (JsonProperty property in other.EnumerateObject())
        {
            merged[property.Name] = merged.TryGetValue(property.Name, out JsonElement known) ? Keyword(property.Name, known, property.Value) : property.Value;
        }
        return JsonSerializer.SerializeToElement(merged);
    }

    /// <summary>A schema without one of its keywords.</summary>
    public static JsonElement Without(JsonElement schema, string keyword) => JsonSerializer.SerializeToElement(
        schema.EnumerateObject().Where(property => property.Name != keyword).ToDictionary(property => property.Name, property => property.Value));

    private static JsonElement Keyword(string name, JsonElement one, JsonElement other) => name switch
    {
        _ when JsonElement.DeepEquals(one, other) || JsonSchemaPattern.IsAnnotation(name) => one,
        _ when Lower.Contains(name) => one.GetDouble() >= other.GetDouble() ? one : other,
        _ when Upper.Contains(name) => one.GetDouble() <= other.GetDouble() ? one : other,
        "properties" => Properties(one, other),
        "required" => JsonSerializer.SerializeToElement(one.EnumerateArray().Concat(other.EnumerateArray()).Select(item => item.GetString()).Distinct()),
        "type" => JsonSerializer.SerializeToElement(Types(one).SelectMany(type => Types(other).Select(also => Common(type, also))).OfType<string>().Distinct()),
        "enum" => JsonSerializer.SerializeToElement(
            one.EnumerateArray().Where(value => other.EnumerateArray().Any(also => JsonElement.DeepEquals(value, also)))),
        "items" => All(one, other),
        "allOf" => JsonSerializer.SerializeToElement(one.EnumerateArray().Concat(other.EnumerateArray())),
        _ => throw Pattern.Refuse($"the JSON schema: '{name}' stands twice for one value, and differs"),
    };

    private static JsonElement Properties(JsonElement one, JsonElement other)
    {
        Dictionary<string, JsonElement> merged = one.EnumerateObject().ToDictionary(property => property.Name, property => property.Value);
        foreach (JsonProperty property in other.EnumerateObject())
        {
            merged[property.Name] = merged.TryGetValue(property.Name, out JsonElement known) ? All(known, property.Value) : property.Value;
        }
        return JsonSerializer.SerializeToElement(merged);
    }

    // Left to be merged where it is read: it may refer to what is being read now.
    private static JsonElement All(JsonElement one, JsonElement other) =>
        JsonElement.DeepEquals(one, other) ? one : JsonSerializer.SerializeToElement(new Dictionary<string, JsonElement[]> { ["allOf"] = [one, other] });

    private static string[] Types(JsonElement type) =>
        type.ValueKind == JsonValueKind.Array ? [.. type.EnumerateArray().Select(one => one.GetString()!)] : [type.GetString()!];

    private static string? Common(string one, string other) =>
        one == other ? one : (one, other) is ("integer", "number") or ("number", "integer") ? "integer" : null;

    // A closed object forbids the other's properties, which a merged list of properties would allow.
    private static void RefuseClosed(JsonElement closed, JsonElement other)
    {
        if (closed.TryGetProperty("additionalProperties", out JsonElement more) && more.ValueKind != JsonValueKind.True
            && other.TryGetProperty("properties", out JsonElement others)
            && others.EnumerateObject().Any(property => !closed.TryGetProperty("properties", out JsonElement own) || !own.TryGetProperty(property.Name, out _)))
        {
            throw Pattern.Refuse("the JSON schema: additionalProperties beside properties of another part of allOf is not supported");
        }
    }
}
