using MmCluster.Tokenizers.Subwords;

namespace MmCluster.Tokenizers.Json;

/// <summary>Builds the model of tokenizer.json.</summary>
internal static class ModelReader
{
    private const string Known = "BPE, WordPiece, Unigram, WordLevel";

    public static SubwordModel Read(JsonPart part)
    {
        // Files of old versions leave the type out: then the other keys tell.
        string type = part.StringOr("type", null) ?? GuessType(part);
        return type switch
        {
            "BPE" => ReadBpe(part),
            "WordPiece" => ReadWordPiece(part),
            "Unigram" => ReadUnigram(part),
            "WordLevel" => ReadWordLevel(part),
            _ => throw part.Unknown(type, Known),
        };
    }

    private static string GuessType(JsonPart part)
    {
        if (part.Optional("merges") is not null)
        {
            return "BPE";
        }
        if (part.Required("vocab").IsArray)
        {
            return "Unigram";
        }
        return part.Optional("max_input_chars_per_word") is not null ? "WordPiece" : "WordLevel";
    }

    private static BpeModel ReadBpe(JsonPart part)
    {
        Vocabulary vocabulary = ReadVocabulary(part.Required("vocab"));
        string? unknown = part.StringOr("unk_token", null);
        var options = new BpeOptions
        {
            UnknownId = unknown is null ? null : IdOf(vocabulary, unknown, part, "unk_token"),
            FuseUnknown = part.BoolOr("fuse_unk", false),
            ByteFallback = part.BoolOr("byte_fallback", false),
            IgnoreMerges = part.BoolOr("ignore_merges", false),
            ContinuingPrefix = part.StringOr("continuing_subword_prefix", "")!,
            EndOfWordSuffix = part.StringOr("end_of_word_suffix", "")!,
        };
        var merges = new Dictionary<(int, int), (int, int)>();
        int rank = 0;
        foreach (JsonPart item in part.Required("merges").Items())
        {
            (string left, string right) = ReadMerge(item);
            int leftId = IdOf(vocabulary, left, item, "left side");
            int rightId = IdOf(vocabulary, right, item, "right side");
            string prefix = options.ContinuingPrefix;
            string tail = prefix.Length > 0 && right.StartsWith(prefix, StringComparison.Ordinal) ? right[prefix.Length..] : right;
            merges[(leftId, rightId)] = (rank++, IdOf(vocabulary, left + tail, item, "result"));
        }
        return new BpeModel(vocabulary, merges, options);
    }

    private static (string Left, string Right) ReadMerge(JsonPart item)
    {
        if (item.IsArray)
        {
            JsonPart[] pair = [.. item.Items()];
            return pair.Length == 2 ? (pair[0].AsString(), pair[1].AsString())
                : throw new InvalidDataException($"{item.Path}: a merge of {pair.Length} parts");
        }
        string text = item.AsString();
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        return space >= 0 && text.IndexOf(' ', space + 1) < 0 ? (text[..space], text[(space + 1)..])
            : throw new InvalidDataException($"{item.Path}: '{text}' is not two parts with one space between them");
    }

    private static WordPieceModel ReadWordPiece(JsonPart part)
    {
        Vocabulary vocabulary = ReadVocabulary(part.Required("vocab"));
        int unknown = IdOf(vocabulary, part.StringOr("unk_token", "[UNK]")!, part, "unk_token");
        return new WordPieceModel(
            vocabulary,
            unknown,
            part.StringOr("continuing_subword_prefix", "##")!,
            part.Optional("max_input_chars_per_word")?.AsInt() ?? 100);
    }

    private static WordLevelModel ReadWordLevel(JsonPart part)
    {
        Vocabulary vocabulary = ReadVocabulary(part.Required("vocab"));
        return new WordLevelModel(vocabulary, part.StringOr("unk_token", null) is { } unknown ? vocabulary.IdOf(unknown) : null);
    }

    private static UnigramModel ReadUnigram(JsonPart part)
    {
        var vocabulary = new Vocabulary();
        var scores = new List<double>();
        foreach (JsonPart item in part.Required("vocab").Items())
        {
            JsonPart[] pair = [.. item.Items()];
            if (pair.Length != 2)
            {
                throw new InvalidDataException($"{item.Path}: expected a token and its score");
            }
            vocabulary.Set(pair[0].AsString(), scores.Count, item.Path);
            scores.Add(pair[1].AsDouble());
        }
        int? unknown = part.Optional("unk_id")?.AsInt();
        if (unknown is { } id && (id < 0 || id >= scores.Count))
        {
            throw new InvalidDataException($"{part.Path}: unk_id {id} is not in the vocabulary of {scores.Count}");
        }
        return new UnigramModel(vocabulary, [.. scores], unknown, part.BoolOr("byte_fallback", false));
    }

    private static Vocabulary ReadVocabulary(JsonPart part)
    {
        var vocabulary = new Vocabulary();
        foreach ((string token, JsonPart id) in part.Members())
        {
            vocabulary.Set(token, id.AsInt(), part.Path);
        }
        return vocabulary;
    }

    private static int IdOf(Vocabulary vocabulary, string token, JsonPart where, string what) =>
        vocabulary.IdOf(token) ?? throw new InvalidDataException($"{where.Path}: {what} '{token}' is not in the vocabulary");
}
