using System.Text.Json;

namespace MmCluster.Models.Checkpoints;

/// <summary>
/// An object of config.json, read by name with errors that say file, place and what was expected. A value of null counts as absent, as in
/// Hugging Face's classes. Several names for one value (old and new) are given in the order of preference.
/// </summary>
public sealed class ModelConfig
{
    private const long MaxBytes = 16L << 20;

    private readonly JsonElement _element;
    private readonly string _place;

    private ModelConfig(JsonElement element, string place)
    {
        _element = element;
        _place = place;
    }

    /// <summary>The file and the path inside it, for errors.</summary>
    public string Place => _place;

    /// <summary>Reads a JSON file whose root is an object.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">Not a JSON object, or larger than 16 MB.</exception>
    public static ModelConfig Read(string path)
    {
        FileInfo file = new(path);
        if (!file.Exists)
        {
            throw new FileNotFoundException($"{path}: missing", path);
        }
        if (file.Length > MaxBytes)
        {
            throw new InvalidDataException($"{path}: larger than {MaxBytes} bytes");
        }
        return Parse(File.ReadAllText(path), path);
    }

    /// <summary>Parses JSON text whose root is an object; <paramref name="place"/> names it in errors.</summary>
    /// <exception cref="InvalidDataException">Not a JSON object.</exception>
    public static ModelConfig Parse(string json, string place)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 32 });
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new ModelConfig(document.RootElement.Clone(), place)
                : throw new InvalidDataException($"{place}: not a JSON object");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{place}: not JSON: {error.Message}", error);
        }
    }

    /// <summary>Whether one of <paramref name="names"/> has a value.</summary>
    public bool Has(params ReadOnlySpan<string> names) => Find(names) is not null;

    /// <summary>Whether <paramref name="name"/> is there with the value null, where that means something else than its absence.</summary>
    public bool IsNull(string name) => _element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>The object called by one of <paramref name="names"/>, or null.</summary>
    public ModelConfig? TrySection(params ReadOnlySpan<string> names) => Find(names) is not var (name, value) ? null
        : value.ValueKind == JsonValueKind.Object ? new ModelConfig(value, $"{_place}: {name}") : throw Wrong(name, "an object", value);

    /// <summary>The object called <paramref name="name"/>.</summary>
    public ModelConfig Section(string name) => TrySection(name) ?? throw Missing(name);

    /// <summary>The section at a dotted path; this one for an empty path.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
    public ModelConfig At(string path)
    {
        ModelConfig at = this;
        foreach (string name in path.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            at = at.Section(name);
        }
        return at;
    }

    /// <summary>These values with one of them given.</summary>
    public ModelConfig With(string name, int value) => With(JsonSerializer.SerializeToElement(new Dictionary<string, int> { [name] = value }));

    /// <summary>These values with those of <paramref name="overrides"/> (an object) before them.</summary>
    public ModelConfig With(JsonElement? overrides)
    {
        if (overrides is not { ValueKind: JsonValueKind.Object } values)
        {
            return this;
        }
        Dictionary<string, JsonElement> merged = [];
        foreach (JsonProperty item in _element.EnumerateObject())
        {
            merged[item.Name] = item.Value;
        }
        foreach (JsonProperty item in values.EnumerateObject())
        {
            merged[item.Name] = item.Value;
        }
        return new ModelConfig(JsonSerializer.SerializeToElement(merged), _place);
    }

    /// <summary>A whole number that fits 32 bits.</summary>
    public int Whole(params ReadOnlySpan<string> names) => TryWhole(names) ?? throw Missing(names[0]);

    /// <summary>A whole number that fits 32 bits, or null.</summary>
    public int? TryWhole(params ReadOnlySpan<string> names) => Find(names) is not var (name, value) ? null
        : ToInt(value) ?? throw Wrong(name, "a whole number", value);

    /// <summary>A whole number at least 1; a size. The upper bound keeps products of two within 64 bits.</summary>
    public int Size(params ReadOnlySpan<string> names) => Checked(names, Whole(names));

    /// <summary>A size, or <paramref name="otherwise"/> where there is none.</summary>
    public int SizeOr(int otherwise, params ReadOnlySpan<string> names) => TryWhole(names) is { } value ? Checked(names, value) : otherwise;

    /// <summary>A number of layers, or <paramref name="otherwise"/> where there is none; at most 4,096, for each is built before weights are compared.</summary>
    public int LayersOr(int otherwise, params ReadOnlySpan<string> names) => SizeUpTo(4096, otherwise, names);

    /// <summary>A size of at most <paramref name="most"/>, where memory is taken by it alone; or <paramref name="otherwise"/> where there is none.</summary>
    public int SizeUpTo(int most, int otherwise, params ReadOnlySpan<string> names) => SizeOr(otherwise, names) is var size && size <= most
        ? size
        : throw Bad(names[0], $"is {size}, at most {most} was expected");

    /// <summary>A number, or <paramref name="otherwise"/> where there is none.</summary>
    public double NumberOr(double otherwise, params ReadOnlySpan<string> names) => Find(names) is not var (name, value) ? otherwise
        : value.ValueKind == JsonValueKind.Number ? value.GetDouble() : throw Wrong(name, "a number", value);

    /// <summary>True or false, or <paramref name="otherwise"/> where there is none.</summary>
    public bool BoolOr(bool otherwise, params ReadOnlySpan<string> names) => Find(names) is not var (name, value) ? otherwise
        : value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Wrong(name, "true or false", value),
        };

    /// <summary>Text, or null.</summary>
    public string? TryText(params ReadOnlySpan<string> names) => Find(names) is not var (name, value) ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw Wrong(name, "text", value);

    /// <summary>Text, or <paramref name="otherwise"/> where there is none.</summary>
    public string TextOr(string otherwise, params ReadOnlySpan<string> names) => TryText(names) ?? otherwise;

    /// <summary>One whole number or a list of them; empty where there is none.</summary>
    public IReadOnlyList<int> Wholes(params ReadOnlySpan<string> names) => Find(names) is not var (name, value) ? []
        : value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(item => ToInt(item) ?? throw Wrong(name, "whole numbers", item))]
            : [ToInt(value) ?? throw Wrong(name, "a whole number or a list of them", value)];

    /// <summary>A list of numbers; empty where there is none.</summary>
    public IReadOnlyList<double> Numbers(params ReadOnlySpan<string> names) => Find(names) is not var (name, value) ? []
        : value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number)
            ? [.. value.EnumerateArray().Select(item => item.GetDouble())]
            : throw Wrong(name, "a list of numbers", value);

    /// <summary>A list of texts; empty where there is none.</summary>
    public IReadOnlyList<string> Texts(params ReadOnlySpan<string> names) => Find(names) is not var (name, value) ? []
        : value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
            ? [.. value.EnumerateArray().Select(item => item.GetString()!)]
            : throw Wrong(name, "a list of texts", value);

    /// <summary>An error about a value here: place, name and what is wrong.</summary>
    public InvalidDataException Bad(string name, string what) => new($"{_place}: {name} {what}");

    private int Checked(ReadOnlySpan<string> names, int value) =>
        value is >= 1 and <= 1 << 30 ? value : throw Bad(names[0], $"is {value}, a size from 1 to {1 << 30} was expected");

    private (string Name, JsonElement Value)? Find(ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (_element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null)
            {
                return (name, value);
            }
        }
        return null;
    }

    // 2.0 is what some exporters write for 2.
    private static int? ToInt(JsonElement value) => value.ValueKind != JsonValueKind.Number ? null
        : value.TryGetInt32(out int number) ? number
        : value.GetDouble() is var real && real == (int)real ? (int)real : null;

    private InvalidDataException Missing(string name) => new($"{_place}: {name} is missing");

    private InvalidDataException Wrong(string name, string expected, JsonElement value)
    {
        string got = value.GetRawText();
        return Bad(name, $"is {(got.Length <= 60 ? got : got[..60] + "...")}, expected {expected}");
    }
}
