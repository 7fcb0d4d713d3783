using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.PreTokenizers;

/// <summary>What becomes of the delimiters when a text is split.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>Turns matches of a delimiter into words.</summary>
internal static class Splitter
{
    /// <summary>A stretch of a word: where it lies and whether it is a delimiter.</summary>
    internal readonly record struct Stretch(int Start, int End, bool IsDelimiter);

    /// <summary>The stretches of text[0..length) when the delimiters are <paramref name="matches"/>, in order.</summary>
    public static void Stretches(int length, List<(int Start, int End)> matches, bool invert, List<Stretch> result)
    {
        int last = 0;
        foreach ((int start, int end) in matches)
        {
            if (start > last)
            {
                result.Add(new Stretch(last, start, invert));
            }
            result.Add(new Stretch(start, end, !invert));
            last = end;
        }
        if (length > last)
        {
            result.Add(new Stretch(last, length, invert));
        }
    }

    /// <summary>The stretches when every code point of a kind is a delimiter.</summary>
    public static void Stretches(ReadOnlySpan<char> text, Func<int, bool> isDelimiter, List<Stretch> result)
    {
        int last = 0;
        for (int i = 0; i < text.Length;)
        {
            int codePoint = CodePoints.At(text, i, out int length);
            if (isDelimiter(codePoint))
            {
                if (i > last)
                {
                    result.Add(new Stretch(last, i, false));
                }
                result.Add(new Stretch(i, i + length, true));
                last = i + length;
            }
            i += length;
        }
        if (text.Length > last)
        {
            result.Add(new Stretch(last, text.Length, false));
        }
    }

    /// <summary>Adds the words that a behavior makes of the stretches; <paramref name="offset"/> moves them.</summary>
    public static void Emit(List<Stretch> stretches, SplitBehavior behavior, int offset, List<(int Start, int Length)> words)
    {
        switch (behavior)
        {
            case SplitBehavior.Removed:
                EmitEach(stretches, keepDelimiters: false, offset, words);
                break;
            case SplitBehavior.Isolated:
                EmitEach(stretches, keepDelimiters: true, offset, words);
                break;
            case SplitBehavior.MergedWithNext:
                EmitMergedWithNext(stretches, offset, words);
                break;
            default:
                EmitMerged(stretches, behavior == SplitBehavior.Contiguous, offset, words);
                break;
        }
    }

    private static void EmitEach(List<Stretch> stretches, bool keepDelimiters, int offset, List<(int, int)> words)
    {
        foreach (Stretch stretch in stretches)
        {
            if (keepDelimiters || !stretch.IsDelimiter)
            {
                Add(stretch.Start, stretch.End, offset, words);
            }
        }
    }

    // Contiguous joins neighbours of one kind; otherwise a delimiter joins what stands before it, unless that was one too.
    private static void EmitMerged(List<Stretch> stretches, bool contiguous, int offset, List<(int, int)> words)
    {
        int start = 0;
        int end = -1;
        bool previous = false;
        foreach (Stretch stretch in stretches)
        {
            bool joins = contiguous ? stretch.IsDelimiter == previous : stretch.IsDelimiter && !previous;
            if (joins && end >= 0)
            {
                end = stretch.End;
            }
            else
            {
                Add(start, end, offset, words);
                (start, end) = (stretch.Start, stretch.End);
            }
            previous = stretch.IsDelimiter;
        }
        Add(start, end, offset, words);
    }

    private static void EmitMergedWithNext(List<Stretch> stretches, int offset, List<(int, int)> words)
    {
        int first = words.Count;
        int start = 0;
        int end = -1;
        bool previous = false;
        for (int i = stretches.Count - 1; i >= 0; i--)
        {
            Stretch stretch = stretches[i];
            if (stretch.IsDelimiter && !previous && end >= 0)
            {
                start = stretch.Start;
            }
            else
            {
                Add(start, end, offset, words);
                (start, end) = (stretch.Start, stretch.End);
            }
            previous = stretch.IsDelimiter;
        }
        Add(start, end, offset, words);
        words.Reverse(first, words.Count - first);
    }

    private static void Add(int start, int end, int offset, List<(int, int)> words)
    {
        if (end > start)
        {
            words.Add((start + offset, end - start));
        }
    }
}
