using MmCluster.Tokenizers.Patterns;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Normalizers;

/// <summary>Puts text before or after what is not empty.</summary>
internal sealed class AffixNormalizer(string before, string after) : Normalizer
{
    public override TaintedText Apply(TaintedText text)
    {
        if (text.Text.Length == 0)
        {
            return text;
        }
        bool[]? untrusted = text.Untrusted is null
            ? null
            : [.. new bool[before.Length], .. text.Untrusted, .. new bool[after.Length]];
        return text with { Text = before + text.Text + after, Untrusted = untrusted };
    }
}

/// <summary>Strips white space at the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    public override TaintedText Apply(TaintedText text)
    {
        int start = 0;
        int end = text.Text.Length;
        while (left && start < end && Categories.IsWhiteSpace(text.Text[start]))
        {
            start++;
        }
        while (right && end > start && Categories.IsWhiteSpace(text.Text[end - 1]))
        {
            end--;
        }
        return text with
        {
            Text = text.Text[start..end],
            Untrusted = text.Untrusted?[start..end],
            HeadRemoved = text.HeadRemoved || start > 0,
        };
    }
}

/// <summary>Replaces every match of a pattern.</summary>
internal sealed class ReplaceNormalizer(Pattern pattern, string content) : Normalizer
{
    public override TaintedText Apply(TaintedText text)
    {
        var matches = new List<(int Start, int End)>();
        pattern.FindAll(text.Text, matches);
        if (matches.Count == 0)
        {
            return text;
        }
        var builder = new TaintedBuilder(text);
        int last = 0;
        foreach ((int start, int end) in matches)
        {
            builder.Copy(last, start);
            builder.Replace(content, start, end);
            last = end;
        }
        builder.Copy(last, text.Text.Length);
        return builder.Build();
    }
}
