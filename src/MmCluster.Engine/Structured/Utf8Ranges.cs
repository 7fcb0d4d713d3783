using System.Text;

namespace MmCluster.Engine.Structured;

/// <summary>Ranges of scalar values as ranges of UTF-8 bytes.</summary>
internal static class Utf8Ranges
{
    private static readonly int[] LastOfLength = [0x7F, 0x7FF, 0xFFFF, 0x10FFFF];

    /// <summary>Byte ranges whose products cover [first, last], which holds no surrogates at its ends.</summary>
    public static IEnumerable<(byte First, byte Last)[]> Of(int first, int last)
    {
        foreach (int limit in LastOfLength)
        {
            if (first > last)
            {
                yield break;
            }
            if (first <= limit)
            {
                foreach ((byte, byte)[] range in Split(first, Math.Min(last, limit)))
                {
                    yield return range;
                }
                first = limit + 1;
            }
        }
    }

    // Both ends have the same number of bytes. Where the trailing bytes do not run through their whole range, the range is cut.
    private static IEnumerable<(byte First, byte Last)[]> Split(int first, int last)
    {
        for (int bits = 6; bits <= 18; bits += 6)
        {
            int mask = (1 << bits) - 1;
            if ((first & ~mask) == (last & ~mask) || last <= 0x7F)
            {
                continue;
            }
            if ((first & mask) != 0)
            {
                return [.. Split(first, first | mask), .. Split((first | mask) + 1, last)];
            }
            if ((last & mask) != mask)
            {
                return [.. Split(first, (last & ~mask) - 1), .. Split(last & ~mask, last)];
            }
        }
        byte[] low = Bytes(first);
        byte[] high = Bytes(last);
        return [[.. low.Zip(high, (a, b) => (a, b))]];
    }

    private static byte[] Bytes(int scalar)
    {
        byte[] bytes = new byte[4];
        return bytes[..new Rune(scalar).EncodeToUtf8(bytes)];
    }
}
