using System.Text;
using MmCluster.Tokenizers.Decoders;
using MmCluster.Tokenizers.Patterns;
using MmCluster.Tokenizers.PreTokenizers;

namespace MmCluster.Tokenizers.Json;

/// <summary>Makes one decoding step that hands on to the next, or writes to the output when there is none.</summary>
internal delegate TokenDecoder DecoderFactory(TokenDecoder? next, StringBuilder? output);

/// <summary>Reads the decoders of tokenizer.json into factories: each sequence decoded needs steps of its own.</summary>
internal static class DecoderReader
{
    private const string Known = "ByteLevel, ByteFallback, Fuse, Metaspace, BPEDecoder, WordPiece, Replace, Strip, CTC, Sequence";

    /// <summary>The steps in order.</summary>
    public static IReadOnlyList<DecoderFactory> Read(JsonPart part)
    {
        string type = part.Required("type").AsString();
        return type == "Sequence" ? [.. part.Required("decoders").Items().SelectMany(Read)] : [ReadOne(part, type)];
    }

    private static DecoderFactory ReadOne(JsonPart part, string type)
    {
        switch (type)
        {
            case "ByteLevel":
                return (next, output) => new ByteLevelDecoder(next, output);
            case "ByteFallback":
                return (next, output) => new ByteFallbackDecoder(next, output);
            case "Fuse":
                return (next, output) => new FuseDecoder(next, output);
            case "Metaspace":
                string replacement = PreTokenizerReader.Replacement(part);
                bool prepended = PreTokenizerReader.Scheme(part) != PrependScheme.Never;
                return (next, output) => new MetaspaceDecoder(replacement, prepended, next, output);
            case "BPEDecoder":
                string suffix = part.StringOr("suffix", "</w>")!;
                return (next, output) => new BpeSuffixDecoder(suffix, next, output);
            case "WordPiece":
                string prefix = part.StringOr("prefix", "##")!;
                bool wordCleanUp = part.BoolOr("cleanup", true);
                return (next, output) => new WordPieceDecoder(prefix, wordCleanUp, next, output);
            case "Replace":
                Pattern pattern = PatternReader.Read(part);
                string content = part.Required("content").AsString();
                return (next, output) => new ReplaceDecoder(pattern, content, next, output);
            case "Strip":
                return ReadStrip(part);
            case "CTC":
                string pad = part.StringOr("pad_token", "<pad>")!;
                string delimiter = part.StringOr("word_delimiter_token", "|")!;
                bool cleanUp = part.BoolOr("cleanup", true);
                return (next, output) => new CtcDecoder(pad, delimiter, cleanUp, next, output);
            default:
                throw part.Unknown(type, Known);
        }
    }

    private static DecoderFactory ReadStrip(JsonPart part)
    {
        string stripped = part.StringOr("content", " ")!;
        int start = part.Optional("start")?.AsInt() ?? 0;
        int stop = part.Optional("stop")?.AsInt() ?? 0;
        if (stripped.Length == 0 || start < 0 || stop < 0)
        {
            throw new InvalidDataException($"{part.Path}: content '{stripped}', start {start}, stop {stop}");
        }
        return (next, output) => new StripDecoder(stripped, start, stop, next, output);
    }
}
