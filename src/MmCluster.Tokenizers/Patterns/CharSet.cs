namespace MmCluster.Tokenizers.Patterns;

/// <summary>A set of code points, as a regular expression's class names it.</summary>
internal sealed class CharSet
{
    private readonly ulong[] _bmp = new ulong[0x10000 / 64];
    private readonly Func<int, bool> _contains;

    /// <summary>Tabulates the predicate for the BMP; code points above it ask the predicate each time.</summary>
    public CharSet(Func<int, bool> contains)
    {
        _contains = contains;
        for (int i = 0; i < 0x10000; i++)
        {
            if (contains(i))
            {
                _bmp[i >> 6] |= 1ul << (i & 63);
            }
        }
    }

    public bool Contains(int codePoint) => codePoint < 0x10000
        ? (_bmp[codePoint >> 6] >> (codePoint & 63) & 1) != 0
        : _contains(codePoint);
}
