namespace MmCluster.Tokenizers;

/// <summary>
/// The 256 letters that stand for bytes in byte-level vocabularies (GPT-2's bytes_to_unicode): visible Latin-1
/// characters stand for themselves, the other bytes take U+0100 and up in order.
/// </summary>
internal static class ByteLetters
{
    private static readonly char[] Letters = Build();
    private static readonly short[] Bytes = Invert(Letters);

    /// <summary>The letter of a byte.</summary>
    public static char OfByte(byte value) => Letters[value];

    /// <summary>The byte of a letter; false when the character is no such letter.</summary>
    public static bool TryByte(char letter, out byte value)
    {
        short found = letter < Bytes.Length ? Bytes[letter] : (short)-1;
        value = (byte)found;
        return found >= 0;
    }

    private static char[] Build()
    {
        char[] letters = new char[256];
        int next = 256;
        for (int b = 0; b < 256; b++)
        {
            bool visible = b is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            letters[b] = (char)(visible ? b : next++);
        }
        return letters;
    }

    private static short[] Invert(char[] letters)
    {
        short[] bytes = new short[512];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++)
        {
            bytes[letters[b]] = (short)b;
        }
        return bytes;
    }
}
