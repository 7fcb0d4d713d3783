using MmCluster.Tokenizers.Patterns;

namespace MmCluster.Tokenizers.PreTokenizers;

/// <summary>Splits at the matches of a pattern, or with <paramref name="invert"/> at what lies between them.</summary>
internal sealed class PatternPreTokenizer(Pattern pattern, SplitBehavior behavior, bool invert) : PreTokenizer
{
    public override Words Apply(Words words)
    {
        var result = new List<(int, int)>(words.Spans.Count);
        var matches = new List<(int, int)>();
        var stretches = new List<Splitter.Stretch>();
        foreach ((int start, int length) in words.Spans)
        {
            matches.Clear();
            stretches.Clear();
            pattern.FindAll(words.Text.AsSpan(start, length), matches);
            Splitter.Stretches(length, matches, invert, stretches);
            Splitter.Emit(stretches, behavior, start, result);
        }
        return new Words(words.Text, words.AtOrigin, result);
    }
}

/// <summary>Splits at every code point of a kind.</summary>
internal sealed class CharacterPreTokenizer(Func<int, bool> isDelimiter, SplitBehavior behavior) : PreTokenizer
{
    public override Words Apply(Words words)
    {
        var result = new List<(int, int)>(words.Spans.Count);
        var stretches = new List<Splitter.Stretch>();
        foreach ((int start, int length) in words.Spans)
        {
            stretches.Clear();
            Splitter.Stretches(words.Text.AsSpan(start, length), isDelimiter, stretches);
            Splitter.Emit(stretches, behavior, start, result);
        }
        return new Words(words.Text, words.AtOrigin, result);
    }
}

/// <summary>Runs of word characters, and runs of what is neither that nor space.</summary>
internal sealed class WhitespacePreTokenizer : PreTokenizer
{
    public override Words Apply(Words words)
    {
        var result = new List<(int, int)>(words.Spans.Count);
        foreach ((int start, int length) in words.Spans)
        {
            int runStart = start;
            int runKind = 0;
            ReadOnlySpan<char> text = words.Text.AsSpan(0, start + length);
            for (int i = start; i < text.Length;)
            {
                int codePoint = Unicode.CodePoints.At(text, i, out int size);
                int kind = Unicode.Categories.IsRustWord(codePoint) ? 1 : Unicode.Categories.IsWhiteSpace(codePoint) ? 0 : 2;
                if (kind != runKind)
                {
                    AddRun(runStart, i, runKind, result);
                    (runStart, runKind) = (i, kind);
                }
                i += size;
            }
            AddRun(runStart, text.Length, runKind, result);
        }
        return new Words(words.Text, words.AtOrigin, result);
    }

    private static void AddRun(int start, int end, int kind, List<(int, int)> words)
    {
        if (kind != 0 && end > start)
        {
            words.Add((start, end - start));
        }
    }
}

/// <summary>Cuts pieces of a fixed number of code points.</summary>
internal sealed class FixedLengthPreTokenizer(int pieceLength) : PreTokenizer
{
    public override Words Apply(Words words)
    {
        var result = new List<(int, int)>();
        foreach ((int start, int length) in words.Spans)
        {
            int pieceStart = start;
            int taken = 0;
            for (int i = start; i < start + length;)
            {
                Unicode.CodePoints.At(words.Text.AsSpan(0, start + length), i, out int size);
                i += size;
                if (++taken == pieceLength || i == start + length)
                {
                    result.Add((pieceStart, i - pieceStart));
                    (pieceStart, taken) = (i, 0);
                }
            }
        }
        return new Words(words.Text, words.AtOrigin, result);
    }
}
