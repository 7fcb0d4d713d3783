using System.Globalization;
using System.Text;
using System.Text.Json;
using MmCluster.Tokenizers.Config;
using MmCluster.Tokenizers.Json;

namespace MmCluster.Tokenizers;

/// <summary>The outcome of comparing a tokenizer with reference vectors.</summary>
/// <param name="Checked">How many texts were compared.</param>
/// <param name="Failures">One line for each comparison that failed, in order; at most <see cref="TokenizerVectors.MaxFailures"/>.</param>
/// <param name="Failed">How many comparisons failed in all.</param>
public sealed record VectorResult(int Checked, IReadOnlyList<string> Failures, int Failed)
{
    /// <summary>Whether every comparison held, and there was one.</summary>
    public bool IsOk => Failed == 0 && Checked > 0;
}

/// <summary>
/// Compares a tokenizer with reference vectors: a folder with a tokenizer and a vectors.json, a list of objects with
/// "text", "ids", optionally "ids_no_special", and "decoded".
/// For a tokenizer.json, "ids" has the special tokens of its post-processor, special tokens in the text count as such,
/// and "decoded" leaves special tokens out, as Hugging Face's tokenizers do by default. For a SentencePiece model, "ids"
/// is the bare encoding and nothing in the text is special, as in SentencePiece itself.
/// </summary>
public static class TokenizerVectors
{
    /// <summary>How many failures are described.</summary>
    public const int MaxFailures = 20;

    private const string FileName = "vectors.json";

    /// <summary>Whether a folder holds vectors.</summary>
    public static bool Exist(string folder) => File.Exists(Path.Combine(folder, FileName));

    /// <summary>Compares the folder's tokenizer with its vectors, also token by token through <see cref="StreamingDecoder"/>.</summary>
    /// <exception cref="FileNotFoundException">The folder lacks vectors.json or a tokenizer.</exception>
    /// <exception cref="InvalidDataException">A file's content is broken.</exception>
    /// <exception cref="NotSupportedException">The tokenizer asks for something unknown, which the text names.</exception>
    public static VectorResult Check(string folder)
    {
        Tokenizer tokenizer = Tokenizer.FromFolder(folder);
        bool isJson = File.Exists(Path.Combine(folder, "tokenizer.json"));
        string path = Path.Combine(folder, FileName);
        byte[] content = FolderFile.TryRead(folder, FileName) ?? throw new FileNotFoundException($"{path}: not found");
        using JsonDocument document = JsonPart.ParseFile(content, path);
        var failures = new List<string>();
        int failed = 0;
        int count = 0;
        foreach (JsonPart vector in new JsonPart(document.RootElement, path).Items())
        {
            count++;
            foreach (string failure in Compare(tokenizer, vector, isJson))
            {
                if (failed++ < MaxFailures)
                {
                    failures.Add(failure);
                }
            }
        }
        return new VectorResult(count, failures, failed);
    }

    private static IEnumerable<string> Compare(Tokenizer tokenizer, JsonPart vector, bool isJson)
    {
        string text = vector.Required("text").AsString();
        int[] ids = Ids(vector.Required("ids"));
        int[] ours = tokenizer.Encode(text, addSpecialTokens: isJson, parseSpecial: isJson);
        if (!ours.AsSpan().SequenceEqual(ids))
        {
            yield return $"{vector.Path}: ids of {Quote(text)}: expected {Show(ids)}, got {Show(ours)}";
        }
        if (vector.Optional("ids_no_special") is { } bare)
        {
            int[] expected = Ids(bare);
            int[] actual = tokenizer.Encode(text, addSpecialTokens: false, parseSpecial: isJson);
            if (!actual.AsSpan().SequenceEqual(expected))
            {
                yield return $"{vector.Path}: ids_no_special of {Quote(text)}: expected {Show(expected)}, got {Show(actual)}";
            }
        }
        if (vector.Optional("decoded") is not { } decodedPart)
        {
            yield break;
        }
        string decoded = decodedPart.AsString();
        string whole = tokenizer.Decode(ids);
        if (whole != decoded)
        {
            yield return $"{vector.Path}: decoded: expected {Quote(decoded)}, got {Quote(whole)}";
        }
        StreamingDecoder stream = tokenizer.CreateDecoder();
        var pieces = new StringBuilder();
        foreach (int id in ids)
        {
            pieces.Append(stream.Append(id));
        }
        pieces.Append(stream.Finish());
        if (!pieces.Equals(whole))
        {
            yield return $"{vector.Path}: streamed: expected {Quote(whole)}, got {Quote(pieces.ToString())}";
        }
    }

    private static int[] Ids(JsonPart part) => [.. part.Items().Select(id => id.AsInt())];

    private static string Show(int[] ids) =>
        "[" + string.Join(' ', ids.Take(12).Select(id => id.ToString(CultureInfo.InvariantCulture))) + (ids.Length > 12 ? " …]" : "]");

    private static string Quote(string text) => JsonSerializer.Serialize(text.Length > 60 ? text[..60] + "…" : text);
}
