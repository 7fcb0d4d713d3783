using System.Text;

namespace MmCluster.Engine.Tests.Structured;

/// <summary>Tokens: 256 bytes, some longer texts, and an end token that has no bytes.</summary>
internal sealed class ByteVocabulary : IVocabulary
{
    private static readonly string[] Longer = ["{\"", "\":", "\": ", "true", "false", "null", "ab", "abc", " \"", "\", \"", "12", "e+", "é", "日本", "}}", "[]"];

    private readonly List<byte[]> _tokens =
        [.. Enumerable.Range(0, 256).Select(value => new[] { (byte)value }), .. Longer.Select(text => Encoding.UTF8.GetBytes(text)), []];

    public int Count => _tokens.Count;

    public int End => _tokens.Count - 1;

    public ReadOnlyMemory<byte> BytesOf(int token) => _tokens[token];

    public string TextOf(IEnumerable<int> tokens) => Encoding.UTF8.GetString([.. tokens.SelectMany(token => _tokens[token])]);

    public ITokenDecoder CreateDecoder(bool skipSpecialTokens) => new Decoder(this);

    private sealed class Decoder(ByteVocabulary vocabulary) : ITokenDecoder
    {
        private readonly System.Text.Decoder _utf8 = Encoding.UTF8.GetDecoder();

        public string Push(int token) => Convert(vocabulary._tokens[token], flush: false);

        public string Finish() => Convert([], flush: true);

        private string Convert(byte[] bytes, bool flush)
        {
            char[] chars = new char[bytes.Length + 4];
            return new string(chars, 0, _utf8.GetChars(bytes, 0, bytes.Length, chars, 0, flush));
        }
    }
}
