using System.Text;

namespace MmCluster.Tokenizers;

/// <summary>
/// Text on its way through the normalizers. <paramref name="Untrusted"/> says for each UTF-16 unit whether it came from a
/// user, and is null where nobody will ask.
/// </summary>
internal readonly record struct TaintedText(string Text, bool[]? Untrusted)
{
    /// <summary>Whether original text stood before the first character and was taken away.</summary>
    public bool HeadRemoved { get; init; }

    /// <summary>The same flags over another text of the same length.</summary>
    public TaintedText WithSameLength(string text) => this with { Text = text };
}

/// <summary>Builds a <see cref="TaintedText"/> from pieces of another.</summary>
internal sealed class TaintedBuilder(TaintedText source)
{
    private readonly StringBuilder _text = new(source.Text.Length + 16);
    private readonly List<bool>? _untrusted = source.Untrusted is null ? null : new List<bool>(source.Text.Length + 16);

    /// <summary>Appends the source's units from <paramref name="start"/> up to <paramref name="end"/>.</summary>
    public void Copy(int start, int end)
    {
        _text.Append(source.Text, start, end - start);
        _untrusted?.AddRange(source.Untrusted.AsSpan(start, end - start));
    }

    /// <summary>Appends text that replaces the source's units from <paramref name="start"/> up to <paramref name="end"/>.</summary>
    public void Replace(ReadOnlySpan<char> text, int start, int end)
    {
        _text.Append(text);
        if (_untrusted is not null)
        {
            bool any = source.Untrusted.AsSpan(start, end - start).Contains(true);
            for (int i = 0; i < text.Length; i++)
            {
                _untrusted.Add(any);
            }
        }
    }

    /// <summary>The text so far.</summary>
    public TaintedText Build() => source with { Text = _text.ToString(), Untrusted = _untrusted?.ToArray() };
}
