using System.Text;

namespace MmCluster.Engine.Output;

/// <summary>
/// Text of one sequence. What might still become a stop string is held back, so that no part of one is ever sent; a stop string is found wherever
/// token borders lie in it.
/// </summary>
internal sealed class TextAssembler(ITokenDecoder decoder, IReadOnlyList<string> stops, bool includeStop)
{
    private readonly StringBuilder _ready = new();
    private string _held = "";
    private bool _done;

    /// <summary>Adds a token's text; true when a stop string is complete, which ends the text.</summary>
    public bool Push(int token, bool mayStop)
    {
        string piece = decoder.Push(token);
        if (_done || piece.Length == 0)
        {
            return false;
        }
        if (stops.Count == 0 || !mayStop)
        {
            _ready.Append(_held).Append(piece);
            _held = "";
            return false;
        }
        return Scan(_held + piece);
    }

    /// <summary>Ends the text: nothing can become a stop string any more.</summary>
    public void Finish()
    {
        if (!_done)
        {
            _done = true;
            _ready.Append(_held).Append(decoder.Finish());
            _held = "";
        }
    }

    /// <summary>The text that may be sent since the last call.</summary>
    public string Take()
    {
        if (_ready.Length == 0)
        {
            return "";
        }
        string text = _ready.ToString();
        _ready.Clear();
        return text;
    }

    private bool Scan(string text)
    {
        int first = text.Length;
        string? found = null;
        foreach (string stop in stops)
        {
            int at = text.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && at < first)
            {
                first = at;
                found = stop;
            }
        }
        if (found is not null)
        {
            _ready.Append(text, 0, first).Append(includeStop ? found : "");
            _held = "";
            _done = true;
            return true;
        }
        int held = HeldLength(text);
        _ready.Append(text, 0, text.Length - held);
        _held = text[^held..];
        return false;
    }

    private int HeldLength(string text)
    {
        int longest = 0;
        foreach (string stop in stops)
        {
            for (int length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
            {
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                {
                    longest = length;
                }
            }
        }
        return longest;
    }
}
