using System.Text.Json;

namespace MmCluster.Engine.Structured;

/// <summary>
/// Turns a JSON Schema into a pattern of JSON text: objects with their properties in the schema's order, no others where properties are
/// named; a schema within itself to a bounded depth. A keyword that cannot be kept is refused by name, because what is accepted must hold.
/// </summary>
internal sealed class JsonSchemaPattern
{
    private const int AnyDepth = 3;
    private const int MaxDepth = 64;
    private const int MaxLength = 1 << 18;
    private const int MaxParts = 20_000;
    private const int MaxPartsWithin = 2_000;

    // How often a schema that refers to itself may stand within itself: as often as its size allows.
    private static readonly int[] Recursions = [6, 4, 3, 2, 1];

    private static readonly HashSet<string> Annotations =
    [
        "title", "description", "default", "examples", "example", "$schema", "$id", "$comment", "$defs", "definitions", "deprecated", "readOnly",
        "writeOnly", "contentMediaType", "contentEncoding", "contentSchema", "discriminator", "externalDocs", "xml", "$anchor",
    ];

    private static readonly Dictionary<string, string[]> Keywords = new()
    {
        ["object"] = ["properties", "required", "additionalProperties", "minProperties", "maxProperties"],
        ["array"] = ["items", "prefixItems", "minItems", "maxItems"],
        ["string"] = ["minLength", "maxLength", "pattern"],
        ["number"] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
    };

    private readonly JsonElement _root;
    private readonly int _recursion;
    private readonly Dictionary<string, int> _open = [];
    private int _depth;
    private int _parts;
    private bool _refersToItself;

    private JsonSchemaPattern(JsonElement root, int recursion) => (_root, _recursion) = (root, recursion);

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
            return Build(document.RootElement).Reduce() ?? throw Pattern.Refuse("the JSON schema: no value of bounded depth satisfies it");
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

    /// <summary>Whether a keyword only remarks on values, so that it may be passed over.</summary>
    public static bool IsAnnotation(string keyword) => Annotations.Contains(keyword) || keyword.StartsWith("x-", StringComparison.Ordinal);

    private static Pattern Build(JsonElement root)
    {
        foreach (int recursion in Recursions)
        {
            var builder = new JsonSchemaPattern(root, recursion);
            Pattern pattern = builder.Value(root);
            if (builder._parts <= builder.PartLimit)
            {
                return pattern;
            }
            if (!builder._refersToItself)
            {
                break;
            }
        }
        throw Pattern.Refuse($"the JSON schema is too large: more than {MaxParts} parts with its references written out");
    }

    private int PartLimit => _refersToItself ? MaxPartsWithin : MaxParts;

    private Pattern Value(JsonElement schema)
    {
        // Too large already: the pattern is thrown away.
        if (++_parts > PartLimit)
        {
            return Pattern.None;
        }
        if (_depth == MaxDepth)
        {
            return _refersToItself ? Pattern.None : throw Pattern.Refuse($"the JSON schema nests deeper than {MaxDepth}");
        }
        _depth++;
        Pattern pattern = schema.ValueKind switch
        {
            JsonValueKind.True => JsonPatterns.Any(AnyDepth),
            JsonValueKind.False => Pattern.None,
            JsonValueKind.Object => FromKeywords(schema),
            _ => throw Pattern.Refuse("the JSON schema: a schema is an object, true or false"),
        };
        _depth--;
        return pattern;
    }

    private Pattern FromKeywords(JsonElement schema)
    {
        if (schema.TryGetProperty("$ref", out JsonElement reference))
        {
            return Referred(reference.GetString()!, SchemaMerge.Without(schema, "$ref"));
        }
        if (schema.TryGetProperty("allOf", out JsonElement all))
        {
            return Value(all.EnumerateArray().Select(Resolved).Aggregate(SchemaMerge.Without(schema, "allOf"), SchemaMerge.Both));
        }
        foreach (string keyword in new[] { "anyOf", "oneOf" })
        {
            if (schema.TryGetProperty(keyword, out JsonElement parts))
            {
                JsonElement rest = SchemaMerge.Without(schema, keyword);
                return Pattern.Either(parts.EnumerateArray().Select(part =>
                    Value(SaysNothing(rest) ? part : SchemaMerge.Both(rest, Resolved(part)))).ToArray());
            }
        }
        if (schema.TryGetProperty("const", out JsonElement constant))
        {
            Known(schema, ["const", "type"]);
            return Given(schema, [constant]);
        }
        if (schema.TryGetProperty("enum", out JsonElement values))
        {
            Known(schema, ["enum", "type"]);
            return Given(schema, values.EnumerateArray());
        }
        if (!schema.TryGetProperty("type", out JsonElement type))
        {
            return Untyped(schema);
        }
        return type.ValueKind == JsonValueKind.Array
            ? Pattern.Either(type.EnumerateArray().Select(one => Typed(schema, one.GetString()!, isOneOfSeveral: true)).ToArray())
            : Typed(schema, type.GetString()!);
    }

    // A schema within itself is written out so often; what would be deeper is left out, which ends lists and leaves properties away.
    private Pattern Referred(string reference, JsonElement beside)
    {
        int open = _open.GetValueOrDefault(reference);
        _refersToItself |= open > 0;
        if (open > _recursion)
        {
            return Pattern.None;
        }
        _open[reference] = open + 1;
        JsonElement target = Resolve(reference);
        Pattern pattern = Value(SaysNothing(beside) ? target : SchemaMerge.Both(beside, target));
        _open[reference] = open;
        return pattern;
    }

    // What a part of several says, so that it can be merged: references are followed.
    private JsonElement Resolved(JsonElement schema)
    {
        for (int i = 0; schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("$ref", out JsonElement reference); i++)
        {
            if (i == MaxDepth)
            {
                throw Pattern.Refuse($"the JSON schema: $ref '{reference.GetString()}' leads to itself");
            }
            schema = SchemaMerge.Both(SchemaMerge.Without(schema, "$ref"), Resolve(reference.GetString()!));
        }
        return schema;
    }

    private static bool SaysNothing(JsonElement schema) => schema.EnumerateObject().All(property => IsAnnotation(property.Name));

    private static Pattern Given(JsonElement schema, IEnumerable<JsonElement> values)
    {
        string[]? types = !schema.TryGetProperty("type", out JsonElement type) ? null
            : type.ValueKind == JsonValueKind.Array ? [.. type.EnumerateArray().Select(one => one.GetString()!)] : [type.GetString()!];
        return Pattern.Either(values.Where(value => types is null || types.Any(one => JsonValues.IsOf(value, one))).Select(JsonValues.Exactly));
    }

    // Keywords of one type only, as is usual, say the type.
    private Pattern Untyped(JsonElement schema)
    {
        string[] implied = [.. Keywords.Where(type => type.Value.Any(keyword => schema.TryGetProperty(keyword, out _))).Select(type => type.Key)];
        if (implied.Length == 0)
        {
            Known(schema, []);
            return JsonPatterns.Any(AnyDepth);
        }
        return implied is [var type] ? Typed(schema, type)
            : throw Pattern.Refuse($"the JSON schema: keywords of {string.Join(" and ", implied)} without a type");
    }

    private Pattern Typed(JsonElement schema, string type, bool isOneOfSeveral = false)
    {
        if (!isOneOfSeveral)
        {
            Known(schema, [.. Keywords.GetValueOrDefault(type == "integer" ? "number" : type, []), "type", "format"]);
        }
        return type switch
        {
            "object" => Object(schema),
            "array" => Array(schema),
            "string" => Text(schema),
            "integer" => SchemaNumbers.Integer(schema),
            "number" => SchemaNumbers.Number(schema),
            "boolean" => JsonPatterns.Boolean,
            "null" => JsonPatterns.Null,
            _ => throw Pattern.Refuse($"the JSON schema: the type '{type}' is not known"),
        };
    }

    private Pattern Object(JsonElement schema)
    {
        int? least = Count(schema, "minProperties");
        int? most = Count(schema, "maxProperties");
        List<(string Name, JsonElement? Schema)> properties = schema.TryGetProperty("properties", out JsonElement named)
            ? [.. named.EnumerateObject().Select(property => (property.Name, (JsonElement?)property.Value))] : [];
        HashSet<string> required = schema.TryGetProperty("required", out JsonElement list) ? [.. list.EnumerateArray().Select(name => name.GetString()!)] : [];
        JsonElement? more = schema.TryGetProperty("additionalProperties", out JsonElement additional) ? additional : null;
        properties.AddRange(required.Except(properties.Select(property => property.Name)).ToArray().Select(name =>
            more?.ValueKind == JsonValueKind.False ? throw Pattern.Refuse($"the JSON schema requires '{name}' but does not allow it") : (name, more)));
        if (properties.Count == 0)
        {
            return more?.ValueKind == JsonValueKind.False ? Pattern.Text("{}") : JsonPatterns.Map(Additional(more), least ?? 0, most);
        }
        if (least > required.Count || most < properties.Count)
        {
            throw Pattern.Refuse("the JSON schema: minProperties and maxProperties beside named properties are not supported");
        }
        Pattern[] members = [.. properties.Select(property => Pattern.Then(
            JsonValues.Text(property.Name), JsonPatterns.Colon, property.Schema is { } own ? Value(own) : Additional(null)))];
        return Pattern.Then(Pattern.Text("{"), Members(members, [.. properties.Select(property => required.Contains(property.Name))]), Pattern.Text("}"));
    }

    private Pattern Additional(JsonElement? schema) => schema is { } known ? Value(known) : JsonPatterns.Any(AnyDepth - 1);

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
        if (most < least)
        {
            throw Pattern.Refuse("the JSON schema: maxItems is below minItems");
        }
        if (schema.TryGetProperty("prefixItems", out JsonElement prefix) && prefix.GetArrayLength() > 0)
        {
            return Tuple(schema, [.. prefix.EnumerateArray().Select(Value)], least, most);
        }
        Pattern body = schema.TryGetProperty("items", out JsonElement described) ? Value(described) : JsonPatterns.Any(AnyDepth - 1);
        return JsonPatterns.Array(body, least, most);
    }

    // The first items one by one; further ones only where they are described or asked for.
    private Pattern.Sequence Tuple(JsonElement schema, Pattern[] first, int least, int? most)
    {
        bool open = schema.TryGetProperty("items", out JsonElement described) ? described.ValueKind != JsonValueKind.False : least > first.Length;
        if (least > first.Length && !open)
        {
            throw Pattern.Refuse("the JSON schema: minItems asks for more than prefixItems allows");
        }
        Pattern[] kept = first[..Math.Min(first.Length, most ?? first.Length)];
        Pattern rest = open && !(most <= first.Length)
            ? new Pattern.Repeat(
                Pattern.Then(JsonPatterns.Comma, Additional(described.ValueKind == JsonValueKind.Undefined ? null : described)),
                Math.Max(0, least - first.Length),
                most - first.Length)
            : Pattern.Empty;
        return new Pattern.Sequence(
            [Pattern.Text("["), .. kept.SelectMany((item, i) => i == 0 ? [item] : new[] { JsonPatterns.Comma, item }), rest, Pattern.Text("]")]);
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
            if (!IsAnnotation(property.Name) && System.Array.IndexOf(keywords, property.Name) < 0)
            {
                throw Pattern.Refuse($"the JSON schema: the keyword '{property.Name}' is not supported here");
            }
        }
    }
}
