using System.Text;

namespace MmCluster.Tokenizers.Decoders;

/// <summary>
/// One step from tokens back to text, written as a stream: decoding all at once runs the same code as decoding token by
/// token, so both give the same text. A token may arrive in several writes; <c>endOfToken</c> closes it. One sequence
/// per object; not thread-safe.
/// </summary>
internal abstract class TokenDecoder(TokenDecoder? next, StringBuilder? output)
{
    /// <summary>Takes a token or the next part of one.</summary>
    public abstract void Write(ReadOnlySpan<char> text, bool endOfToken);

    /// <summary>Says that no more will come; whatever is held back is passed on.</summary>
    public virtual void Finish() => next?.Finish();

    /// <summary>Hands text to the next step, or to the output.</summary>
    protected void Emit(ReadOnlySpan<char> text, bool endOfToken)
    {
        if (next is not null)
        {
            next.Write(text, endOfToken);
        }
        else
        {
            output!.Append(text);
        }
    }
}

/// <summary>Collects each token whole before it is rewritten.</summary>
internal abstract class WholeTokenDecoder(TokenDecoder? next, StringBuilder? output) : TokenDecoder(next, output)
{
    private readonly StringBuilder _held = new();
    private bool _open;

    /// <summary>How many tokens have been rewritten.</summary>
    protected int Index { get; private set; }

    public sealed override void Write(ReadOnlySpan<char> text, bool endOfToken)
    {
        if (endOfToken && _held.Length == 0)
        {
            _open = false;
            WriteToken(text.ToString());
            Index++;
            return;
        }
        _held.Append(text);
        _open = !endOfToken;
        if (endOfToken)
        {
            Close();
        }
    }

    public override void Finish()
    {
        if (_open)
        {
            _open = false;
            Close();
        }
        base.Finish();
    }

    /// <summary>Emits what becomes of a token.</summary>
    protected abstract void WriteToken(string token);

    private void Close()
    {
        string token = _held.ToString();
        _held.Clear();
        WriteToken(token);
        Index++;
    }
}
