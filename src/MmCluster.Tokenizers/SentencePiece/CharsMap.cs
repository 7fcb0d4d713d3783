using System.Buffers.Binary;
using System.Text;

namespace MmCluster.Tokenizers.SentencePiece;

/// <summary>
/// SentencePiece's precompiled normalization: a little-endian uint32 size, a Darts-clone double-array trie of that many
/// bytes whose values are offsets, and the replacements, each ended by a zero byte. Every index into the trie is checked:
/// the blob comes from a file. Thread-safe.
/// </summary>
internal sealed class CharsMap
{
    private readonly uint[] _units;
    private readonly byte[] _replacements;

    private CharsMap(uint[] units, byte[] replacements)
    {
        _units = units;
        _replacements = replacements;
    }

    /// <summary>Reads the blob; throws <see cref="InvalidDataException"/> when its sizes do not add up.</summary>
    public static CharsMap Parse(ReadOnlySpan<byte> blob, string where)
    {
        if (blob.Length < 8)
        {
            throw new InvalidDataException($"{where}: precompiled_charsmap: {blob.Length} bytes are too few");
        }
        uint trieBytes = BinaryPrimitives.ReadUInt32LittleEndian(blob);
        if (trieBytes % 4 != 0 || trieBytes < 4 || trieBytes > blob.Length - 4)
        {
            throw new InvalidDataException($"{where}: precompiled_charsmap: a trie of {trieBytes} bytes in a blob of {blob.Length}");
        }
        uint[] units = new uint[trieBytes / 4];
        for (int i = 0; i < units.Length; i++)
        {
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(blob[(4 + 4 * i)..]);
        }
        return new CharsMap(units, blob[(4 + (int)trieBytes)..].ToArray());
    }

    /// <summary>Finds the longest key that starts <paramref name="text"/>: its length, and what replaces it; length 0 for none.</summary>
    public int LongestPrefix(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> replacement) => Search(text, longest: true, out replacement);

    /// <summary>The same for the shortest key.</summary>
    public int ShortestPrefix(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> replacement) => Search(text, longest: false, out replacement);

    /// <summary>The replacement of the shortest key that starts <paramref name="text"/>, or null.</summary>
    public string? ReplacementOfShortest(ReadOnlySpan<byte> text) =>
        ShortestPrefix(text, out ReadOnlySpan<byte> replacement) == 0 ? null : Encoding.UTF8.GetString(replacement);

    // The unit layout is darts-clone's: label in bits 0-7 and 31, leaf flag in bit 8, offset in bits 10-30, shifted by
    // 8 when bit 9 is set.
    private int Search(ReadOnlySpan<byte> text, bool longest, out ReadOnlySpan<byte> replacement)
    {
        int found = 0;
        uint value = 0;
        uint node = Offset(_units[0]);
        for (int i = 0; i < text.Length; i++)
        {
            node ^= text[i];
            if (node >= _units.Length)
            {
                break;
            }
            uint unit = _units[node];
            if ((unit & 0x800000FF) != text[i])
            {
                break;
            }
            node ^= Offset(unit);
            if ((unit & 0x100) != 0 && node < _units.Length)
            {
                found = i + 1;
                value = _units[node] & 0x7FFFFFFF;
                if (!longest)
                {
                    break;
                }
            }
        }
        replacement = found == 0 ? default : At(value);
        return found;
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & 0x200) >> 6);

    private ReadOnlySpan<byte> At(uint offset)
    {
        if (offset >= _replacements.Length)
        {
            return default;
        }
        ReadOnlySpan<byte> rest = _replacements.AsSpan((int)offset);
        int end = rest.IndexOf((byte)0);
        return end < 0 ? rest : rest[..end];
    }
}
