using System.Text;
using MmCluster.Tokenizers.Normalizers;
using MmCluster.Tokenizers.Patterns;
using MmCluster.Tokenizers.SentencePiece;

namespace MmCluster.Tokenizers.Json;

/// <summary>Builds the normalizers of tokenizer.json.</summary>
internal static class NormalizerReader
{
    private const string Known = "NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Prepend, Append, Replace, "
        + "BertNormalizer, Sequence, Precompiled, ByteLevel, Nmt";

    public static Normalizer Read(JsonPart part)
    {
        string type = part.Required("type").AsString();
        return type switch
        {
            "NFC" => new UnicodeFormNormalizer(NormalizationForm.FormC),
            "NFD" => new UnicodeFormNormalizer(NormalizationForm.FormD),
            "NFKC" => new UnicodeFormNormalizer(NormalizationForm.FormKC),
            "NFKD" => new UnicodeFormNormalizer(NormalizationForm.FormKD),
            "Lowercase" => new LowercaseNormalizer(),
            "Strip" => new StripNormalizer(part.BoolOr("strip_left", true), part.BoolOr("strip_right", true)),
            "StripAccents" => new StripAccentsNormalizer(),
            "Prepend" => new AffixNormalizer(part.Required("prepend").AsString(), ""),
            "Append" => new AffixNormalizer("", part.Required("append").AsString()),
            "Replace" => new ReplaceNormalizer(PatternReader.Read(part), part.Required("content").AsString()),
            "BertNormalizer" => ReadBert(part),
            "Sequence" => new SequenceNormalizer([.. part.Required("normalizers").Items().Select(Read)]),
            "Precompiled" => ReadPrecompiled(part.Required("precompiled_charsmap")),
            "ByteLevel" => new ByteLevelNormalizer(),
            "Nmt" => new NmtNormalizer(),
            _ => throw part.Unknown(type, Known),
        };
    }

    private static SequenceNormalizer ReadBert(JsonPart part)
    {
        bool lowercase = part.BoolOr("lowercase", true);
        var parts = new List<Normalizer>
        {
            new BertCleanNormalizer(part.BoolOr("clean_text", true), part.BoolOr("handle_chinese_chars", true)),
        };
        if (part.BoolOr("strip_accents", lowercase))
        {
            parts.Add(new UnicodeFormNormalizer(NormalizationForm.FormD));
            parts.Add(new StripNonSpacingMarksNormalizer());
        }
        if (lowercase)
        {
            parts.Add(new LowercaseNormalizer());
        }
        return new SequenceNormalizer(parts);
    }

    private static Normalizer ReadPrecompiled(JsonPart part)
    {
        byte[] blob;
        try
        {
            blob = Convert.FromBase64String(part.AsString());
        }
        catch (FormatException error)
        {
            throw new InvalidDataException($"{part.Path}: not base64", error);
        }
        return blob.Length == 0 ? new SequenceNormalizer([]) : new PrecompiledNormalizer(CharsMap.Parse(blob, part.Path));
    }
}

/// <summary>Reads {"String": ..} or {"Regex": ..} under "pattern".</summary>
internal static class PatternReader
{
    public static Pattern Read(JsonPart owner)
    {
        JsonPart part = owner.Required("pattern");
        if (part.Optional("String") is { } literal)
        {
            return Pattern.Literal(literal.AsString());
        }
        JsonPart regex = part.Required("Regex");
        try
        {
            return Pattern.Regex(regex.AsString());
        }
        catch (NotSupportedException error)
        {
            throw new NotSupportedException($"{regex.Path}: {error.Message}", error);
        }
    }
}
