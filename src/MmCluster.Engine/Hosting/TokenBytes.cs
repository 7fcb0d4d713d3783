using System.Globalization;
using System.Text;
using MmCluster.Tokenizers;

namespace MmCluster.Engine.Hosting;

/// <summary>What bytes a token adds to a text, found by decoding it behind another one; parts of characters by the vocabulary's spelling.</summary>
internal static class TokenBytes
{
    private static readonly Dictionary<char, byte> ByteLetters = Letters();

    /// <summary>The bytes; empty for special and unknown tokens.</summary>
    public static byte[] Of(Tokenizer tokenizer, int token)
    {
        if (tokenizer.SpecialIds.Contains(token) || tokenizer.TokenOf(token) is not { } spelled)
        {
            return [];
        }
        string text = DecodeBehindLetter(tokenizer, token);
        if (!text.Contains('\uFFFD'))
        {
            return Encoding.UTF8.GetBytes(text);
        }
        if (spelled is ['<', '0', 'x', _, _, '>'] && byte.TryParse(spelled[3..5], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
        {
            return [value];
        }
        return spelled.All(ByteLetters.ContainsKey) ? [.. spelled.Select(letter => ByteLetters[letter])] : Encoding.UTF8.GetBytes(text);
    }

    // A token may look different at the start of a text, so it is decoded in the middle of one.
    private static string DecodeBehindLetter(Tokenizer tokenizer, int token)
    {
        StreamingDecoder decoder = tokenizer.CreateDecoder(skipSpecialTokens: false);
        foreach (int letter in tokenizer.Encode("a", addSpecialTokens: false))
        {
            decoder.Append(letter);
        }
        return decoder.Append(token) + decoder.Finish();
    }

    // GPT-2's bytes_to_unicode: visible Latin-1 characters stand for themselves, the others take U+0100 and up.
    private static Dictionary<char, byte> Letters()
    {
        Dictionary<char, byte> letters = [];
        int next = 256;
        for (int value = 0; value < 256; value++)
        {
            bool visible = value is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            letters[(char)(visible ? value : next++)] = (byte)value;
        }
        return letters;
    }
}
