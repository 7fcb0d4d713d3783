using System.Text;
using MmCluster.Tokenizers.Patterns;

namespace MmCluster.Tokenizers.Decoders;

/// <summary>Makes one token of all.</summary>
internal sealed class FuseDecoder(TokenDecoder? next, StringBuilder? output) : TokenDecoder(next, output)
{
    public override void Write(ReadOnlySpan<char> text, bool endOfToken) => Emit(text, endOfToken: false);

    public override void Finish()
    {
        Emit([], endOfToken: true);
        base.Finish();
    }
}

/// <summary>Replaces every match of a pattern within each token.</summary>
internal sealed class ReplaceDecoder(Pattern pattern, string content, TokenDecoder? next, StringBuilder? output)
    : WholeTokenDecoder(next, output)
{
    private readonly List<(int Start, int End)> _matches = [];

    protected override void WriteToken(string token)
    {
        _matches.Clear();
        pattern.FindAll(token, _matches);
        if (_matches.Count == 0)
        {
            Emit(token, endOfToken: true);
            return;
        }
        var result = new StringBuilder();
        int last = 0;
        foreach ((int start, int end) in _matches)
        {
            result.Append(token, last, start - last).Append(content);
            last = end;
        }
        Emit(result.Append(token, last, token.Length - last).ToString(), endOfToken: true);
    }
}

/// <summary>Strips up to so many of one character at each token's ends. Streams: it holds back no more than it may strip.</summary>
internal sealed class StripDecoder(string content, int start, int stop, TokenDecoder? next, StringBuilder? output)
    : TokenDecoder(next, output)
{
    private readonly StringBuilder _tail = new();
    private int _stripped;
    private bool _begun;

    public override void Write(ReadOnlySpan<char> text, bool endOfToken)
    {
        while (!_begun && _stripped < start && text.StartsWith(content, StringComparison.Ordinal))
        {
            text = text[content.Length..];
            _stripped++;
        }
        _begun |= text.Length > 0;
        _tail.Append(text);
        if (!endOfToken)
        {
            Release();
            return;
        }
        string rest = _tail.ToString();
        int length = rest.Length;
        for (int i = 0; i < stop && rest.AsSpan(0, length).EndsWith(content, StringComparison.Ordinal); i++)
        {
            length -= content.Length;
        }
        Emit(rest.AsSpan(0, length), endOfToken: true);
        _tail.Clear();
        (_begun, _stripped) = (false, 0);
    }

    // What can no longer be stripped at the end goes on: all but a closing run of the character, and of that its excess.
    private void Release()
    {
        string held = _tail.ToString();
        int run = 0;
        while (run < stop && held.AsSpan(0, held.Length - run * content.Length).EndsWith(content, StringComparison.Ordinal))
        {
            run++;
        }
        int safe = held.Length - run * content.Length;
        if (safe > 0)
        {
            Emit(held.AsSpan(0, safe), endOfToken: false);
            _tail.Remove(0, safe);
        }
    }
}

/// <summary>Metaspaces back to spaces; the first token's are dropped where one was put before the text.</summary>
internal sealed class MetaspaceDecoder(string replacement, bool prepended, TokenDecoder? next, StringBuilder? output)
    : WholeTokenDecoder(next, output)
{
    protected override void WriteToken(string token) =>
        Emit(token.Replace(replacement, Index == 0 && prepended ? "" : " ", StringComparison.Ordinal), endOfToken: true);
}

/// <summary>A word's end becomes a space, but for the last word's.</summary>
internal sealed class BpeSuffixDecoder(string suffix, TokenDecoder? next, StringBuilder? output) : WholeTokenDecoder(next, output)
{
    private string? _held;

    protected override void WriteToken(string token)
    {
        if (_held is not null)
        {
            Emit(Replace(_held, " "), endOfToken: true);
        }
        _held = token;
    }

    public override void Finish()
    {
        if (_held is not null)
        {
            Emit(Replace(_held, ""), endOfToken: true);
            _held = null;
        }
        base.Finish();
    }

    private string Replace(string token, string by) =>
        suffix.Length == 0 ? token : token.Replace(suffix, by, StringComparison.Ordinal);
}

/// <summary>Word pieces back to words with spaces between them.</summary>
internal sealed class WordPieceDecoder(string prefix, bool cleanUp, TokenDecoder? next, StringBuilder? output)
    : WholeTokenDecoder(next, output)
{
    // In this order: each replacement sees what the ones before it left.
    private static readonly (string From, string To)[] Artifacts =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
        (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    /// <summary>Removes the spaces that splitting put before punctuation.</summary>
    public static string CleanUp(string text)
    {
        foreach ((string from, string to) in Artifacts)
        {
            text = text.Replace(from, to, StringComparison.Ordinal);
        }
        return text;
    }

    protected override void WriteToken(string token)
    {
        if (Index != 0)
        {
            token = prefix.Length > 0 && token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
        }
        Emit(cleanUp ? CleanUp(token) : token, endOfToken: true);
    }
}

/// <summary>Connectionist temporal classification: repeats and pads vanish.</summary>
internal sealed class CtcDecoder(string pad, string wordDelimiter, bool cleanUp, TokenDecoder? next, StringBuilder? output)
    : WholeTokenDecoder(next, output)
{
    private string? _previous;

    protected override void WriteToken(string token)
    {
        if (token == _previous)
        {
            return;
        }
        _previous = token;
        string text = pad.Length == 0 ? token : token.Replace(pad, "", StringComparison.Ordinal);
        if (cleanUp)
        {
            text = WordPieceDecoder.CleanUp(text);
            text = wordDelimiter.Length == 0 ? text : text.Replace(wordDelimiter, " ", StringComparison.Ordinal);
        }
        if (text.Length > 0)
        {
            Emit(text, endOfToken: true);
        }
    }
}

/// <summary>Without a decoder, tokens stand with spaces between them.</summary>
internal sealed class SpaceDecoder(StringBuilder output) : WholeTokenDecoder(null, output)
{
    protected override void WriteToken(string token) => Emit(Index == 0 ? token : " " + token, endOfToken: true);
}
