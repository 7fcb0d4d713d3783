using System.Text.Json;

namespace MmCluster.Tokenizers.Json;

/// <summary>
/// A JSON value that knows where it stands, so that every error names file and key. All getters throw
/// <see cref="InvalidDataException"/> when the value is not of the kind asked for.
/// </summary>
internal readonly struct JsonPart(JsonElement element, string path)
{
    /// <summary>File name and keys down to here.</summary>
    public string Path => path;

    /// <summary>The raw value.</summary>
    public JsonElement Element => element;

    /// <summary>Whether the value is an object.</summary>
    public bool IsObject => element.ValueKind == JsonValueKind.Object;

    /// <summary>Whether the value is an array.</summary>
    public bool IsArray => element.ValueKind == JsonValueKind.Array;

    /// <summary>Whether the value is a string.</summary>
    public bool IsString => element.ValueKind == JsonValueKind.String;

    /// <summary>Whether the value is a number.</summary>
    public bool IsNumber => element.ValueKind == JsonValueKind.Number;

    /// <summary>Whether the value is true or false.</summary>
    public bool IsBool => element.ValueKind is JsonValueKind.True or JsonValueKind.False;

    /// <summary>Parses a whole file. The document must outlive the parts.</summary>
    public static JsonDocument ParseFile(ReadOnlyMemory<byte> utf8, string name)
    {
        try
        {
            ReadOnlyMemory<byte> body = utf8.Span.StartsWith("\uFEFF"u8) ? utf8[3..] : utf8;
            return JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 64, AllowDuplicateProperties = true });
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{name}: not JSON: {error.Message}", error);
        }
    }

    /// <summary>The value under a key; null when it is absent or JSON null.</summary>
    public JsonPart? Optional(string key)
    {
        if (!IsObject)
        {
            throw Expected("an object");
        }
        return element.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null
            ? new JsonPart(value, $"{path}: {key}") : null;
    }

    /// <summary>The value under a key that must be there.</summary>
    public JsonPart Required(string key) =>
        Optional(key) ?? throw new InvalidDataException($"{path}: '{key}' is missing");

    /// <summary>A string.</summary>
    public string AsString()
    {
        if (!IsString)
        {
            throw Expected("a string");
        }
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException error)
        {
            // The one way a valid JSON string cannot be read: an escape that is half a surrogate pair.
            throw new InvalidDataException($"{path}: a string with half a surrogate pair", error);
        }
    }

    /// <summary>A boolean.</summary>
    public bool AsBool() => IsBool ? element.GetBoolean() : throw Expected("true or false");

    /// <summary>A 32-bit integer.</summary>
    public int AsInt() => IsNumber && element.TryGetInt32(out int value) ? value : throw Expected("an integer");

    /// <summary>A number.</summary>
    public double AsDouble() => IsNumber && element.TryGetDouble(out double value) ? value : throw Expected("a number");

    /// <summary>The members of an array.</summary>
    public IEnumerable<JsonPart> Items()
    {
        if (!IsArray)
        {
            throw Expected("an array");
        }
        string here = path;
        return element.EnumerateArray().Select((item, index) => new JsonPart(item, $"{here}[{index}]"));
    }

    /// <summary>The members of an object.</summary>
    public IEnumerable<(string Key, JsonPart Value)> Members()
    {
        if (!IsObject)
        {
            throw Expected("an object");
        }
        string here = path;
        return element.EnumerateObject().Select(member => (Name(member, here), new JsonPart(member.Value, here)));
    }

    /// <summary>An optional string.</summary>
    public string? StringOr(string key, string? otherwise) => Optional(key)?.AsString() ?? otherwise;

    /// <summary>An optional boolean.</summary>
    public bool BoolOr(string key, bool otherwise) => Optional(key)?.AsBool() ?? otherwise;

    /// <summary>The error for a value of the wrong kind.</summary>
    public InvalidDataException Expected(string what) => new($"{path}: expected {what}, found {element.ValueKind}");

    /// <summary>The error for a name that is not known.</summary>
    public NotSupportedException Unknown(string name, string known) =>
        new($"{path}: '{name}' is not supported; known: {known}");

    private static string Name(JsonProperty member, string where)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidDataException($"{where}: a key with half a surrogate pair", error);
        }
    }
}
