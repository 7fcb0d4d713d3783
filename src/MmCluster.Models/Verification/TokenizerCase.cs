using System.Text.Json;
using MmCluster.Tokenizers;

namespace MmCluster.Models.Verification;

/// <summary>
/// A tokenizer's case: vectors.json lists texts with their ids (<c>ids</c>; <c>ids_no_special</c> without what the post-processor adds) and their decoded
/// text beside a tokenizer.json or tokenizer.model.
/// </summary>
internal static class TokenizerCase
{
    private const int MaxShown = 60;

    public static CaseResult Verify(string folder, string name)
    {
        (Tokenizer tokenizer, bool isPlain) = Load(folder);
        string file = Path.Combine(folder, "vectors.json");
        try
        {
            using JsonDocument vectors = JsonDocument.Parse(File.ReadAllBytes(file));
            int count = 0;
            foreach (JsonElement vector in vectors.RootElement.EnumerateArray())
            {
                count++;
                if (Difference(tokenizer, vector, isPlain) is { } difference)
                {
                    return new CaseResult(name, CaseStatus.Fail, 1, $"vector {count}: {difference}");
                }
            }
            return count > 0
                ? new CaseResult(name, CaseStatus.Ok, 0, "")
                : new CaseResult(name, CaseStatus.Fail, null, "no vectors to compare");
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"{file}: not a list of vectors: {error.Message}", error);
        }
    }

    // References of a tokenizer.json were made by the tokenizers library, which parses special tokens in a text and adds its own; those of a
    // tokenizer.model by SentencePiece, which does neither.
    private static (Tokenizer, bool IsPlain) Load(string folder)
    {
        string json = Path.Combine(folder, "tokenizer.json");
        string model = Path.Combine(folder, "tokenizer.model");
        return File.Exists(json) ? (Tokenizer.FromJson(File.ReadAllBytes(json), json), false)
            : File.Exists(model) ? (Tokenizer.FromSentencePiece(File.ReadAllBytes(model), model), true)
            : throw new FileNotFoundException($"{folder}: neither tokenizer.json nor tokenizer.model");
    }

    private static string? Difference(Tokenizer tokenizer, JsonElement vector, bool isPlain)
    {
        string text = vector.GetProperty("text").GetString()!;
        int[] expected = Ids(vector.GetProperty("ids"));
        int[] ids = tokenizer.Encode(text, addSpecialTokens: !isPlain, parseSpecial: !isPlain);
        if (!ids.AsSpan().SequenceEqual(expected))
        {
            return $"ids of '{Shown(text)}' differ";
        }
        if (vector.TryGetProperty("ids_no_special", out JsonElement plain)
            && !tokenizer.Encode(text, addSpecialTokens: false, parseSpecial: true).AsSpan().SequenceEqual(Ids(plain)))
        {
            return $"ids without special tokens of '{Shown(text)}' differ";
        }
        return tokenizer.Decode(expected) == vector.GetProperty("decoded").GetString() ? null : $"decoded text of '{Shown(text)}' differs";
    }

    private static int[] Ids(JsonElement ids) => [.. ids.EnumerateArray().Select(id => id.GetInt32())];

    private static string Shown(string text) => text.Length <= MaxShown ? text : text[..MaxShown] + "...";
}
