using System.Buffers.Binary;
using System.Text.Json;

namespace MmCluster.Models.Checkpoints;

/// <summary>
/// Reads the header of a safetensors file: 8 bytes little-endian header size, a JSON object of tensors, then the data. Every size is checked
/// before it is used, as the format's own reader does: known types, byte counts equal to the shapes', no overlap, no gap, nothing behind the last tensor.
/// </summary>
internal static class SafetensorsFile
{
    private const long MaxHeader = 100_000_000; // the format's own limit
    private const int MaxRank = 8;

    public static List<StoredTensor> Read(MappedFile file)
    {
        long size = file.Length >= 8 ? BinaryPrimitives.ReadInt64LittleEndian(file.Span(0, 8, "header size")) : -1;
        if (size is < 2 or > MaxHeader || size > file.Length - 8)
        {
            throw Bad(file, $"the header claims {size} bytes, the file has {file.Length}: truncated, or not a safetensors file");
        }
        List<Entry> entries;
        try
        {
            entries = ParseHeader(file, file.Span(8, size, "header"));
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{file.Path}: the header is not JSON: {error.Message}", error);
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidDataException($"{file.Path}: the header is not of the form that safetensors defines: {error.Message}", error);
        }
        CheckLayout(file, entries, file.Length - 8 - size);
        List<StoredTensor> tensors = new(entries.Count);
        foreach (Entry entry in entries)
        {
            tensors.Add(new StoredTensor(entry.Key, entry.Type, entry.Shape, StoredTensor.DenseStrides(entry.Shape), file, 8 + size + entry.Begin));
        }
        return tensors;
    }

    private static List<Entry> ParseHeader(MappedFile file, ReadOnlySpan<byte> json)
    {
        Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = 8 });
        List<Entry> entries = [];
        HashSet<string> keys = [];
        Expect(file, ref reader, JsonTokenType.StartObject);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            if (!keys.Add(key))
            {
                throw Bad(file, $"tensor '{key}' is in the header twice");
            }
            reader.Read();
            if (key == "__metadata__")
            {
                reader.Skip();
            }
            else
            {
                entries.Add(ParseEntry(file, key, ref reader));
            }
        }
        // Padding spaces may follow; Read returns false at the end and throws on anything else.
        while (reader.Read())
        {
        }
        return entries;
    }

    private static Entry ParseEntry(MappedFile file, string key, ref Utf8JsonReader reader)
    {
        string? dtype = null;
        long[]? shape = null;
        long[]? offsets = null;
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Bad(file, $"the header's entry for '{key}' is not an object");
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string? name = reader.GetString();
            reader.Read();
            switch (name)
            {
                case "dtype":
                    dtype = reader.GetString();
                    break;
                case "shape":
                    shape = ParseNumbers(file, key, ref reader, MaxRank);
                    break;
                case "data_offsets":
                    offsets = ParseNumbers(file, key, ref reader, 2);
                    break;
                default:
                    throw Bad(file, $"tensor '{key}' has the unknown property '{name}'");
            }
        }
        if (dtype is null || shape is null || offsets is not { Length: 2 })
        {
            throw Bad(file, $"tensor '{key}' lacks dtype, shape or data_offsets");
        }
        StoredType type = StoredTypes.FromSafetensors(dtype)
            ?? throw new NotSupportedException($"{file.Path}: tensor '{key}' has dtype {dtype}; known: F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL");
        return new Entry(key, type, shape, offsets[0], offsets[1]);
    }

    private static long[] ParseNumbers(MappedFile file, string key, ref Utf8JsonReader reader, int most)
    {
        List<long> numbers = [];
        if (reader.TokenType == JsonTokenType.StartArray)
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.Number && numbers.Count < most)
            {
                numbers.Add(reader.TryGetInt64(out long number) && number >= 0
                    ? number
                    : throw Bad(file, $"tensor '{key}' has a size or offset that is no whole number of at least 0"));
            }
        }
        return reader.TokenType == JsonTokenType.EndArray
            ? [.. numbers]
            : throw Bad(file, $"tensor '{key}': a list of at most {most} whole numbers was expected");
    }

    private static void CheckLayout(MappedFile file, List<Entry> entries, long dataBytes)
    {
        foreach (Entry entry in entries)
        {
            long expected = entry.Type.Size();
            foreach (long size in entry.Shape)
            {
                if (size != 0 && expected > long.MaxValue / size)
                {
                    throw Bad(file, $"tensor '{entry.Key}' has a shape whose size overflows");
                }
                expected *= size;
            }
            if (entry.End < entry.Begin || entry.End - entry.Begin != expected)
            {
                throw Bad(file, $"tensor '{entry.Key}' of shape [{string.Join(", ", entry.Shape)}] and type {entry.Type} needs {expected} bytes, "
                    + $"data_offsets [{entry.Begin}, {entry.End}] give {entry.End - entry.Begin}");
            }
        }
        long end = 0;
        foreach (Entry entry in entries.OrderBy(entry => entry.Begin).ThenBy(entry => entry.End))
        {
            if (entry.Begin != end)
            {
                throw Bad(file, $"tensor '{entry.Key}' starts at byte {entry.Begin} of the data, the one before it ends at {end}: they overlap or leave a gap");
            }
            end = entry.End;
        }
        if (end != dataBytes)
        {
            throw Bad(file, $"the header describes {end} bytes of data, the file has {dataBytes}: {(end > dataBytes ? "truncated" : "something follows the last tensor")}");
        }
    }

    private static void Expect(MappedFile file, ref Utf8JsonReader reader, JsonTokenType type)
    {
        if (!reader.Read() || reader.TokenType != type)
        {
            throw Bad(file, "the header is not a JSON object");
        }
    }

    private static InvalidDataException Bad(MappedFile file, string what) => new($"{file.Path}: {what}");

    private readonly record struct Entry(string Key, StoredType Type, long[] Shape, long Begin, long End);
}
