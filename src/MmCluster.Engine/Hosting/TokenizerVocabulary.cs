using MmCluster.Tokenizers;

namespace MmCluster.Engine.Hosting;

/// <summary>A checkpoint's tokenizer as the engine sees it.</summary>
public sealed class TokenizerVocabulary(Tokenizer tokenizer) : IVocabulary
{
    /// <inheritdoc/>
    public int Count => tokenizer.VocabularySize;

    /// <inheritdoc/>
    public ITokenDecoder CreateDecoder(bool skipSpecialTokens) => new Decoder(tokenizer.CreateDecoder(skipSpecialTokens));

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> BytesOf(int token) => TokenBytes.Of(tokenizer, token);

    private sealed class Decoder(StreamingDecoder decoder) : ITokenDecoder
    {
        public string Push(int token) => decoder.Append(token);

        public string Finish() => decoder.Finish();
    }
}
