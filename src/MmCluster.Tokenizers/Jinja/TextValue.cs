using System.Text;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Jinja;

/// <summary>
/// A string that knows which of its characters came from a user. Whatever a template does to it, the flags follow:
/// exactly where the operation is a matter of pieces, else the whole result counts as the user's.
/// </summary>
internal sealed class TextValue : Value
{
    public static readonly TextValue Empty = new("");

    private readonly bool[]? _flags;
    private readonly bool _untrusted;

    /// <summary>Text of one origin.</summary>
    public TextValue(string text, bool untrusted = false)
    {
        Text = text;
        _untrusted = untrusted && text.Length > 0;
    }

    private TextValue(string text, bool[] flags)
    {
        Text = text;
        _flags = flags;
    }

    /// <summary>The characters.</summary>
    public string Text { get; }

    /// <summary>Whether any of it came from a user.</summary>
    public bool AnyUntrusted => _flags?.Contains(true) ?? _untrusted;

    public override string TypeName => "str";
    public override bool IsTrue => Text.Length > 0;

    /// <summary>Whether the UTF-16 unit at an index came from a user.</summary>
    public bool IsUntrusted(int index) => _flags?[index] ?? _untrusted;

    /// <summary>A stretch of it by UTF-16 units.</summary>
    public TextValue Slice(int start, int length)
    {
        if (length == Text.Length)
        {
            return this;
        }
        string text = Text.Substring(start, length);
        return _flags is null ? new TextValue(text, _untrusted) : new TextValue(text, _flags.AsSpan(start, length).ToArray());
    }

    /// <summary>Another text of the same length with these flags, else one that is all the user's if any of this is.</summary>
    public TextValue Mapped(string text) => text.Length == Text.Length && _flags is not null
        ? new TextValue(text, _flags) : new TextValue(text, AnyUntrusted);

    /// <summary>The text without characters of a kind at its ends.</summary>
    public TextValue Strip(Func<char, bool> strips, bool left, bool right)
    {
        int start = 0;
        int end = Text.Length;
        while (left && start < end && strips(Text[start]))
        {
            start++;
        }
        while (right && end > start && strips(Text[end - 1]))
        {
            end--;
        }
        return Slice(start, end - start);
    }

    /// <summary>The length in code points, which is what Python counts.</summary>
    public int Length => CodePoints.Count(Text);

    /// <summary>The stretches of one origin.</summary>
    public IEnumerable<TextSegment> Segments()
    {
        for (int start = 0; start < Text.Length;)
        {
            int end = start + 1;
            while (end < Text.Length && IsUntrusted(end) == IsUntrusted(start))
            {
                end++;
            }
            yield return new TextSegment(Text[start..end], !IsUntrusted(start));
            start = end;
        }
    }

    /// <summary>The code points one by one.</summary>
    public IReadOnlyList<Value> Characters()
    {
        var items = new List<Value>(Text.Length);
        for (int i = 0; i < Text.Length;)
        {
            CodePoints.At(Text, i, out int length);
            items.Add(Slice(i, length));
            i += length;
        }
        return items;
    }

    /// <summary>Where the code point of a number starts, in UTF-16 units.</summary>
    public int UnitIndex(int codePoint)
    {
        int at = 0;
        for (int i = 0; i < codePoint && at < Text.Length; i++)
        {
            CodePoints.At(Text, at, out int length);
            at += length;
        }
        return at;
    }

    /// <summary>Builds text piece by piece and keeps each piece's origin.</summary>
    internal sealed class Builder(Budget budget)
    {
        private readonly StringBuilder _text = new();
        private List<bool>? _flags;
        private bool _any;

        public int Length => _text.Length;

        /// <summary>Appends text that the template's author wrote, or that a user did.</summary>
        public Builder Append(ReadOnlySpan<char> text, bool untrusted = false)
        {
            budget.Grow(text.Length, _text.Length);
            if (untrusted != _any && _flags is null && text.Length > 0)
            {
                // The first piece of another origin: from here on every unit has a flag of its own.
                if (_text.Length > 0)
                {
                    _flags = [.. Enumerable.Repeat(_any, _text.Length)];
                }
                _any = _text.Length > 0 ? _any : untrusted;
            }
            _text.Append(text);
            if (_flags is not null)
            {
                System.Runtime.InteropServices.CollectionsMarshal.SetCount(_flags, _text.Length);
                System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_flags)[^text.Length..].Fill(untrusted);
            }
            return this;
        }

        public Builder Append(TextValue value) => Append(value, 0, value.Text.Length);

        /// <summary>Appends a stretch of a value.</summary>
        public Builder Append(TextValue value, int start, int length)
        {
            if (value._flags is null)
            {
                return Append(value.Text.AsSpan(start, length), value._untrusted);
            }
            int end = start + length;
            while (start < end)
            {
                int run = start + 1;
                while (run < end && value._flags[run] == value._flags[start])
                {
                    run++;
                }
                Append(value.Text.AsSpan(start, run - start), value._flags[start]);
                start = run;
            }
            return this;
        }

        public TextValue Build() => _flags is null
            ? new TextValue(_text.ToString(), _any) : new TextValue(_text.ToString(), [.. _flags]);
    }
}
