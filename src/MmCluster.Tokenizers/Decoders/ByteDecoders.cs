using System.Buffers;
using System.Globalization;
using System.Text;

namespace MmCluster.Tokenizers.Decoders;

/// <summary>
/// Turns bytes into text as soon as a character is complete. Bytes that are no UTF-8 become U+FFFD each maximal
/// subpart, as the Unicode standard recommends. Not thread-safe.
/// </summary>
internal sealed class Utf8Stream
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly char[] _chars = new char[256];

    /// <summary>Takes bytes and emits the characters that they complete.</summary>
    public void Write(ReadOnlySpan<byte> bytes, Action<ReadOnlySpan<char>> emit) => Convert(bytes, flush: false, emit);

    /// <summary>Emits U+FFFD for an unfinished character, if there is one.</summary>
    public void Flush(Action<ReadOnlySpan<char>> emit) => Convert([], flush: true, emit);

    private void Convert(ReadOnlySpan<byte> bytes, bool flush, Action<ReadOnlySpan<char>> emit)
    {
        bool completed;
        do
        {
            _decoder.Convert(bytes, _chars, flush, out int used, out int written, out completed);
            bytes = bytes[used..];
            if (written > 0)
            {
                emit(_chars.AsSpan(0, written));
            }
        }
        while (!completed);
    }
}

/// <summary>
/// The same for byte tokens, which come one by one: as in SentencePiece each byte that belongs to no character becomes a
/// U+FFFD of its own. Not thread-safe.
/// </summary>
internal sealed class ByteTokenStream(Action<ReadOnlySpan<char>> emit)
{
    private readonly byte[] _held = new byte[4];
    private int _count;

    /// <summary>Takes a byte and emits what is then certain.</summary>
    public void Write(byte value)
    {
        _held[_count++] = value;
        Release(atEnd: false);
    }

    /// <summary>Emits U+FFFD for each byte of an unfinished character.</summary>
    public void Flush() => Release(atEnd: true);

    private void Release(bool atEnd)
    {
        Span<char> text = stackalloc char[2];
        while (_count > 0)
        {
            OperationStatus status = Rune.DecodeFromUtf8(_held.AsSpan(0, _count), out Rune rune, out int length);
            if (status == OperationStatus.NeedMoreData && !atEnd)
            {
                return;
            }
            (rune, length) = status == OperationStatus.Done ? (rune, length) : (Rune.ReplacementChar, 1);
            _held.AsSpan(length, _count - length).CopyTo(_held);
            _count -= length;
            emit(text[..rune.EncodeToUtf16(text)]);
        }
    }
}

/// <summary>Byte letters back to bytes; a token with any other character counts as text of its own.</summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    private readonly Utf8Stream _utf8 = new();
    private readonly StringBuilder _token = new();
    private readonly Action<ReadOnlySpan<char>> _emit;

    public ByteLevelDecoder(TokenDecoder? next, StringBuilder? output)
        : base(next, output) => _emit = text => Emit(text, endOfToken: false);

    public override void Write(ReadOnlySpan<char> text, bool endOfToken)
    {
        if (!endOfToken || _token.Length > 0)
        {
            _token.Append(text);
            if (!endOfToken)
            {
                return;
            }
            text = _token.ToString();
            _token.Clear();
        }
        byte[] bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        int count = 0;
        foreach (char c in text)
        {
            if (!ByteLetters.TryByte(c, out bytes[count++]))
            {
                count = Encoding.UTF8.GetBytes(text, bytes);
                break;
            }
        }
        _utf8.Write(bytes.AsSpan(0, count), _emit);
    }

    public override void Finish()
    {
        if (_token.Length > 0)
        {
            Write([], endOfToken: true);
        }
        _utf8.Flush(_emit);
        Emit([], endOfToken: true);
        base.Finish();
    }
}

/// <summary>
/// Tokens like &lt;0xE4&gt; back to bytes. Where a run of them is no UTF-8, each character that is whole stays and the rest
/// becomes U+FFFD, as SentencePiece has it; the tokenizers library gives up the whole run, which a stream cannot know.
/// </summary>
internal sealed class ByteFallbackDecoder : WholeTokenDecoder
{
    private readonly ByteTokenStream _bytes;

    public ByteFallbackDecoder(TokenDecoder? next, StringBuilder? output)
        : base(next, output) => _bytes = new ByteTokenStream(text => Emit(text, endOfToken: true));

    /// <summary>The byte that a token like &lt;0xE4&gt; stands for.</summary>
    public static bool TryParse(ReadOnlySpan<char> token, out byte value)
    {
        value = 0;
        return token.Length == 6 && token.StartsWith("<0x") && token[5] == '>'
            && byte.TryParse(token[3..5], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    protected override void WriteToken(string token)
    {
        if (TryParse(token, out byte value))
        {
            _bytes.Write(value);
            return;
        }
        _bytes.Flush();
        Emit(token, endOfToken: true);
    }

    public override void Finish()
    {
        _bytes.Flush();
        base.Finish();
    }
}
