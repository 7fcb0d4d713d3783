using System.Text.Json;
using System.Text.Json.Nodes;
using MmCluster.Tokenizers.Config;
using MmCluster.Tokenizers.Json;

namespace MmCluster.Tokenizers;

/// <summary>
/// A tokenizer for weights that were made up: text becomes bytes, and every id has a text, so that what a random network says can be streamed and
/// counted like any answer.
/// </summary>
public static class DummyTokenizer
{
    /// <summary>The smallest vocabulary: all bytes.</summary>
    public const int LeastVocabulary = 256;

    /// <summary>
    /// A byte-level vocabulary of <paramref name="size"/> ids: special tokens where they are given, bytes from the lowest free ids on, and behind them words
    /// that spell their id.
    /// </summary>
    /// <param name="size">Ids, at least <see cref="LeastVocabulary"/> and the special ones.</param>
    /// <param name="special">Special tokens by id.</param>
    /// <param name="bos">The one that begins a text, or null.</param>
    /// <param name="eos">The one that ends a text, or null.</param>
    /// <exception cref="ArgumentException">Too few ids.</exception>
    public static Tokenizer Create(int size, IReadOnlyDictionary<int, string> special, string? bos, string? eos)
    {
        if (size - special.Keys.Count(id => id < size) < LeastVocabulary)
        {
            throw new ArgumentException($"dummy tokenizer: {size} ids are too few for {LeastVocabulary} bytes and {special.Count} special tokens");
        }
        JsonObject vocabulary = [];
        JsonArray added = [];
        int bytes = 0;
        foreach (int id in Enumerable.Range(0, size).Union(special.Keys))
        {
            bool isSpecial = special.TryGetValue(id, out string? text);
            text ??= bytes < LeastVocabulary ? ByteLetters.OfByte((byte)bytes++).ToString() : $"{ByteLetters.OfByte((byte)' ')}w{id}";
            vocabulary[text] = id;
            if (isSpecial)
            {
                added.Add(new JsonObject { ["id"] = id, ["content"] = text, ["special"] = true });
            }
        }
        JsonObject file = new()
        {
            ["added_tokens"] = added,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = true },
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["post_processor"] = bos is null ? null : Begins(bos, special.First(entry => entry.Value == bos).Key),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray() },
        };
        var core = JsonTokenizer.Parse(JsonSerializer.SerializeToUtf8Bytes(file), "dummy tokenizer", AddedTokenOverrides.None);
        return new Tokenizer(core, TokenizerConfig.Empty with { BosToken = bos, EosToken = eos });
    }

    private static JsonObject Begins(string bos, int id) => new()
    {
        ["type"] = "TemplateProcessing",
        ["single"] = new JsonArray(
            new JsonObject { ["SpecialToken"] = new JsonObject { ["id"] = bos, ["type_id"] = 0 } },
            new JsonObject { ["Sequence"] = new JsonObject { ["id"] = "A", ["type_id"] = 0 } }),
        ["pair"] = new JsonArray(),
        ["special_tokens"] = new JsonObject { [bos] = new JsonObject { ["id"] = bos, ["ids"] = new JsonArray(id), ["tokens"] = new JsonArray(bos) } },
    };
}
