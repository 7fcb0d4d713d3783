using System.Text.Json;

namespace MmCluster.Engine.Structured;

/// <summary>
/// Turns a JSON Schema into a pattern of JSON text: objects with their properties in the schema's order, no others where properties are
/// named. A keyword that cannot be kept is refused by name, because what is accepted must hold.
/// </summary>
internal sealed class JsonSchemaPattern
{
    private const int AnyDepth = 3;
    private const int MaxDepth = 32;
    private const int MaxLength = 1 << 18;

    private static readonly HashSet<string> Annotations =
    [
        "title", "description", "default", "examples", "example", "$schema", "$id", "$comment", "$defs", "definitions", "deprecated", "readOnly",
        "writeOnly", "contentMediaType", "contentEncoding",
    ];

    private readonly JsonElement _root;
    private int _depth;

    private JsonSchemaPattern(JsonElement root) => _root = root;

    /// <exception cref="Models.MmException">InvalidArgument: not JSON, or a keyword that cannot be kept.</exception>
    public static Pattern Build(string schema)
    {
        if (schema.Length > MaxLength)
        {
            throw Pattern.Refuse($"the JSON schema has {schema.Length} characters; {MaxLength} are allowed");
        }
        try
        {
            using JsonDocument document = JsonDocument.Parse(schema);
            return new JsonSchemaPattern(document.RootElement).Value(document.RootElement);
        }
        catch (JsonException error)
        {
            throw Pattern.Refuse($"the JSON schema is not JSON: {error.Message}");
        }
        catch (InvalidOperationException error)
        {
            throw Pattern.Refuse($"the JSON schema: a keyword has a value of the wrong kind: {error.Message}");
        }
        catch (FormatException error)
        {
            throw Pattern.Refuse($"the JSON schema: a number is out of range: {error.Message}");
        }
    }

    private Pattern Value(JsonElement schema)
    {
        if (++_depth > MaxDepth)
        {
            throw Pattern.Refuse($"the JSON schema nests deeper than {MaxDepth}; schemas that refer to themselves are not supported");
        }
        Pattern pattern = schema.ValueKind switch
        {
            JsonValueKind.True => JsonPatterns.Any(AnyDepth),
            JsonValueKind.Object => FromKeywords(schema),
            _ => throw Pattern.Refuse("the JSON schema: a schema is an object or true"),
        };
        _depth--;
        return pattern;
    }

    private Pattern FromKeywords(JsonElement schema)
    {
        if (schema.TryGetProperty("$ref", out JsonElement reference))
        {
            Known(schema, ["$ref"]);
            return Value(Resolve(reference.GetString()!));
        }
        if (schema.TryGetProperty("const", out JsonElement constant))
        {
            Known(schema, ["const", "type"]);
            return Pattern.Text(JsonSerializer.Serialize(constant));
        }
        if (schema.TryGetProperty("enum", out JsonElement values))
        {
            Known(schema, ["enum", "type"]);
            return values.GetArrayLength() > 0
                ? Pattern.Either(values.EnumerateArray().Select(value => Pattern.Text(JsonSerializer.Serialize(value))))
                : throw Pattern.Refuse("the JSON schema: an enum is empty");
        }
        foreach (string keyword in new[] { "anyOf", "oneOf", "allOf" })
        {
            if (schema.TryGetProperty(keyword, out JsonElement parts))
            {
                Known(schema, [keyword]);
                Pattern[] options = [.. parts.EnumerateArray().Select(Value)];
                return options.Length > 0 && (keyword != "allOf" || options.Length == 1)
                    ? Pattern.Either(options)
                    : throw Pattern.Refuse($"the JSON schema: {keyword} of {options.Length} is not supported");
            }
        }
        if (!schema.TryGetProperty("type", out JsonElement type))
        {
            return schema.TryGetProperty("properties", out _) ? Typed(schema, "object")
                : schema.TryGetProperty("items", out _) ? Typed(schema, "array")
                : AnyThing(schema);
        }
        return type.ValueKind == JsonValueKind.Array
            ? Pattern.Either(type.EnumerateArray().Select(one => Typed(schema, one.GetString()!, isOneOfSeveral: true)))
            : Typed(schema, type.GetString()!);
    }

    private static Pattern AnyThing(JsonElement schema)
    {
        Known(schema, []);
        return JsonPatterns.Any(AnyDepth);
    }

    private Pattern Typed(JsonElement schema, string type, bool isOneOfSeveral = false)
    {
        string[] keywords = type switch
        {
            "object" => ["properties", "required", "additionalProperties", "minProperties", "maxProperties"],
            "array" => ["items", "prefixItems", "minItems", "maxItems"],
            "string" => ["minLength", "maxLength", "pattern", "format"],
            "integer" or "number" => ["minimum", "exclusiveMinimum"],
            "boolean" or "null" => [],
            _ => throw Pattern.Refuse($"the JSON schema: the type '{type}' is not known"),
        };
        if (!isOneOfSeveral)
        {
            Known(schema, [.. keywords, "type"]);
        }
        return type switch
        {
            "object" => Object(schema),
            "array" => Array(schema),
            "string" => Text(schema),
            "integer" => Integer(schema),
            "number" => Number(schema),
            "boolean" => JsonPatterns.Boolean,
            _ => JsonPatterns.Null,
        };
    }

    private Pattern Object(JsonElement schema)
    {
        int? least = Count(schema, "minProperties");
        int? most = Count(schema, "maxProperties");
        JsonProperty[] properties = schema.TryGetProperty("properties", out JsonElement named) ? [.. named.EnumerateObject()] : [];
        HashSet<string> required = schema.TryGetProperty("required", out JsonElement list) ? [.. list.EnumerateArray().Select(name => name.GetString()!)] : [];
        if (required.Except(properties.Select(property => property.Name)).FirstOrDefault() is { } missing)
        {
            throw Pattern.Refuse($"the JSON schema requires '{missing}' but does not describe it");
        }
        if (properties.Length == 0)
        {
            bool closed = schema.TryGetProperty("additionalProperties", out JsonElement more) && more.ValueKind == JsonValueKind.False;
            return closed ? Pattern.Text("{}") : JsonPatterns.Map(
                more.ValueKind == JsonValueKind.Object ? Value(more) : JsonPatterns.Any(AnyDepth - 1), least ?? 0, most);
        }
        if (least > required.Count || most < properties.Length)
        {
            throw Pattern.Refuse("the JSON schema: minProperties and maxProperties beside named properties are not supported");
        }
        Pattern[] members = [.. properties.Select(property => Pattern.Then(
            Pattern.Text(JsonSerializer.Serialize(property.Name)), JsonPatterns.Colon, Value(property.Value)))];
        return Pattern.Then(Pattern.Text("{"), Members(members, [.. properties.Select(property => required.Contains(property.Name))]), Pattern.Text("}"));
    }

    // Members in order; commas stand between those that are there.
    private static Pattern Members(Pattern[] members, bool[] required)
    {
        int anchor = System.Array.IndexOf(required, true);
        if (anchor >= 0)
        {
            List<Pattern> parts = [.. members[..anchor].Select(member => Pattern.Maybe(Pattern.Then(member, JsonPatterns.Comma))), members[anchor]];
            for (int i = anchor + 1; i < members.Length; i++)
            {
                Pattern next = Pattern.Then(JsonPatterns.Comma, members[i]);
                parts.Add(required[i] ? next : Pattern.Maybe(next));
            }
            return new Pattern.Sequence(parts);
        }
        // None is required: any of them may be the first.
        return Pattern.Maybe(Pattern.Either(members.Select((member, first) => (Pattern)new Pattern.Sequence(
            [member, .. members[(first + 1)..].Select(later => Pattern.Maybe(Pattern.Then(JsonPatterns.Comma, later)))]))));
    }

    private Pattern Array(JsonElement schema)
    {
        int least = Count(schema, "minItems") ?? 0;
        int? most = Count(schema, "maxItems");
        if (schema.TryGetProperty("prefixItems", out JsonElement prefix))
        {
            Pattern[] items = [.. prefix.EnumerateArray().Select(Value)];
            bool exact = !schema.TryGetProperty("items", out JsonElement rest) || rest.ValueKind == JsonValueKind.False;
            return exact && items.Length > 0 && least <= items.Length && (most ?? items.Length) >= items.Length
                ? Pattern.Then([Pattern.Text("["), .. items.SelectMany((item, i) => i == 0 ? [item] : new[] { JsonPatterns.Comma, item }), Pattern.Text("]")])
                : throw Pattern.Refuse("the JSON schema: prefixItems with other items is not supported");
        }
        Pattern body = schema.TryGetProperty("items", out JsonElement described) ? Value(described) : JsonPatterns.Any(AnyDepth - 1);
        return JsonPatterns.Array(body, least, most >= least || most is null ? most : throw Pattern.Refuse("the JSON schema: maxItems is below minItems"));
    }

    private static Pattern Text(JsonElement schema)
    {
        int? least = Count(schema, "minLength");
        int? most = Count(schema, "maxLength");
        if (schema.TryGetProperty("pattern", out JsonElement pattern))
        {
            return least is null && most is null
                ? JsonPatterns.Quoted(JsonStringRegex.Build(pattern.GetString()!))
                : throw Pattern.Refuse("the JSON schema: pattern together with minLength or maxLength is not supported");
        }
        if (schema.TryGetProperty("format", out JsonElement format) && JsonStringRegex.OfFormat(format.GetString()!) is { } known)
        {
            return JsonPatterns.Quoted(JsonStringRegex.Build(known));
        }
        return most < least ? throw Pattern.Refuse("the JSON schema: maxLength is below minLength") : JsonPatterns.Text(least ?? 0, most);
    }

    private static Pattern Integer(JsonElement schema)
    {
        (bool negative, bool zero) = Signs(schema);
        return JsonPatterns.Integer(negative, zero);
    }

    private static Pattern Number(JsonElement schema)
    {
        (bool negative, bool zero) = Signs(schema);
        return zero ? JsonPatterns.Number(negative) : throw Pattern.Refuse("the JSON schema: exclusiveMinimum of a number is not supported");
    }

    private static (bool Negative, bool Zero) Signs(JsonElement schema)
    {
        double? least = schema.TryGetProperty("minimum", out JsonElement minimum) ? minimum.GetDouble() : null;
        double? above = schema.TryGetProperty("exclusiveMinimum", out JsonElement exclusive) ? exclusive.GetDouble() : null;
        return (least, above) switch
        {
            (null, null) => (true, true),
            (0, null) => (false, true),
            (1, null) or (null, 0) => (false, false),
            _ => throw Pattern.Refuse("the JSON schema: of bounds only minimum 0 or 1 and exclusiveMinimum 0 are supported"),
        };
    }

    private static int? Count(JsonElement schema, string keyword)
    {
        int? count = schema.TryGetProperty(keyword, out JsonElement value) ? value.GetInt32() : null;
        return count is null or (>= 0 and <= 4096) ? count : throw Pattern.Refuse($"the JSON schema: {keyword} is {count}; 0 to 4096 are supported");
    }

    private JsonElement Resolve(string reference)
    {
        JsonElement at = _root;
        if (!reference.StartsWith('#'))
        {
            throw Pattern.Refuse($"the JSON schema: $ref '{reference}' leads outside; only '#/...' is supported");
        }
        foreach (string step in reference[1..].Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            string name = Uri.UnescapeDataString(step).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(name, out at))
            {
                throw Pattern.Refuse($"the JSON schema: $ref '{reference}' leads nowhere");
            }
        }
        return at;
    }

    private static void Known(JsonElement schema, string[] keywords)
    {
        foreach (JsonProperty property in schema.EnumerateObject())
        {
            if (!Annotations.Contains(property.Name) && System.Array.IndexOf(keywords, property.Name) < 0)
            {
                throw Pattern.Refuse($"the JSON schema: the keyword '{property.Name}' is not supported here");
            }
        }
    }
}
