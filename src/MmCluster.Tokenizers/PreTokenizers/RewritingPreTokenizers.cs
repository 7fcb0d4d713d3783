using System.Text;
using MmCluster.Tokenizers.Patterns;

namespace MmCluster.Tokenizers.PreTokenizers;

/// <summary>GPT-2's split, then every byte as the letter that stands for it.</summary>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex) : PreTokenizer
{
    // GPT-2's published expression.
    private static readonly Pattern Gpt2 =
        Pattern.Regex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+");

    private readonly PatternPreTokenizer? _split = useRegex ? new PatternPreTokenizer(Gpt2, SplitBehavior.Isolated, invert: false) : null;

    public override Words Apply(Words words)
    {
        if (addPrefixSpace)
        {
            words = Rewrite(words, static (word, text) =>
            {
                if (!word.StartsWith(' '))
                {
                    text.Append(' ');
                }
                text.Append(word);
            });
        }
        return Rewrite(_split?.Apply(words) ?? words, AppendLetters);
    }

    private static void AppendLetters(ReadOnlySpan<char> word, StringBuilder text)
    {
        Span<byte> bytes = stackalloc byte[4];
        foreach (Rune rune in word.EnumerateRunes())
        {
            int count = rune.EncodeToUtf8(bytes);
            for (int i = 0; i < count; i++)
            {
                text.Append(ByteLetters.OfByte(bytes[i]));
            }
        }
    }

    /// <summary>The words with each one's text replaced by what <paramref name="append"/> writes for it.</summary>
    internal static Words Rewrite(Words words, Action<ReadOnlySpan<char>, StringBuilder> append)
    {
        var text = new StringBuilder(words.Text.Length + 16);
        var spans = new List<(int, int)>(words.Spans.Count);
        foreach ((int start, int length) in words.Spans)
        {
            int from = text.Length;
            append(words.Text.AsSpan(start, length), text);
            if (text.Length > from)
            {
                spans.Add((from, text.Length - from));
            }
        }
        bool atOrigin = words.AtOrigin && words.Spans is [(0, _), ..];
        return new Words(text.ToString(), atOrigin, spans);
    }
}

/// <summary>When a metaspace is put before a text that lacks one.</summary>
internal enum PrependScheme
{
    Always,
    First,
    Never,
}

/// <summary>Spaces become a visible mark, and words begin at it.</summary>
internal sealed class MetaspacePreTokenizer(string replacement, PrependScheme scheme, bool split) : PreTokenizer
{
    public override Words Apply(Words words)
    {
        bool origin = words.AtOrigin && words.Spans is [(0, _), ..];
        bool first = true;
        Words marked = ByteLevelPreTokenizer.Rewrite(words, (word, text) =>
        {
            bool wanted = scheme == PrependScheme.Always || (scheme == PrependScheme.First && origin && first);
            first = false;
            if (wanted && !word.StartsWith(' ') && !word.StartsWith(replacement, StringComparison.Ordinal))
            {
                text.Append(replacement);
            }
            foreach (char c in word)
            {
                if (c == ' ')
                {
                    text.Append(replacement);
                }
                else
                {
                    text.Append(c);
                }
            }
        });
        return split ? new PatternPreTokenizer(Pattern.Literal(replacement), SplitBehavior.MergedWithNext, invert: false).Apply(marked) : marked;
    }
}
