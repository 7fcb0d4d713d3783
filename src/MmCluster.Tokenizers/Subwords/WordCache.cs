using System.Collections.Concurrent;

namespace MmCluster.Tokenizers.Subwords;

/// <summary>Remembers the ids of short words, up to a fixed number of them. Thread-safe.</summary>
internal sealed class WordCache
{
    private const int MaxWords = 1 << 16;
    private const int MaxWordLength = 48;

    private readonly ConcurrentDictionary<string, int[]> _words = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private int _count;

    public WordCache() => _bySpan = _words.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>The word's ids, if it is known.</summary>
    public bool TryGet(ReadOnlySpan<char> word, out int[]? ids)
    {
        ids = null;
        return word.Length <= MaxWordLength && _bySpan.TryGetValue(word, out ids);
    }

    /// <summary>Remembers a word, unless it is long or the cache is full.</summary>
    // No eviction: text is Zipfian, so the words that matter come early.
    public void Add(ReadOnlySpan<char> word, ReadOnlySpan<int> ids)
    {
        if (word.Length <= MaxWordLength && Volatile.Read(ref _count) < MaxWords && _bySpan.TryAdd(word, ids.ToArray()))
        {
            Interlocked.Increment(ref _count);
        }
    }
}
