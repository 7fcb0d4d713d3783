namespace MmCluster.Tokenizers.PreTokenizers;

/// <summary>A text and the stretches of it that are words so far, in order, without overlap and never empty.</summary>
internal sealed class Words
{
    public Words(string text, bool atOrigin)
    {
        Text = text;
        AtOrigin = atOrigin;
        if (text.Length > 0)
        {
            Spans.Add((0, text.Length));
        }
    }

    public Words(string text, bool atOrigin, List<(int Start, int Length)> spans)
    {
        Text = text;
        AtOrigin = atOrigin;
        Spans = spans;
    }

    /// <summary>The text that the spans point into.</summary>
    public string Text { get; }

    /// <summary>Whether index 0 of the text is the start of what the caller passed in.</summary>
    public bool AtOrigin { get; }

    /// <summary>The words.</summary>
    public List<(int Start, int Length)> Spans { get; } = [];
}

/// <summary>Cuts text into words, which the model then splits one by one. Thread-safe.</summary>
internal abstract class PreTokenizer
{
    /// <summary>The words, cut further.</summary>
    public abstract Words Apply(Words words);
}

/// <summary>One after the other.</summary>
internal sealed class SequencePreTokenizer(IReadOnlyList<PreTokenizer> parts) : PreTokenizer
{
    public override Words Apply(Words words)
    {
        foreach (PreTokenizer part in parts)
        {
            words = part.Apply(words);
        }
        return words;
    }
}
