using System.Diagnostics;

namespace MmCluster.Engine.Kv;

/// <summary>
/// Who uses which KV block: reference counts, the hash under which a full block's content is known, and the list of free blocks.
/// A free block keeps its content and hash until it is handed out again, least recently used first, so the free list is the prefix cache's LRU.
/// Holds ids only, the memory is the executor's. Not thread-safe: the scheduler owns it.
/// </summary>
internal sealed class BlockPool
{
    private readonly int[] _references;
    private readonly UInt128[] _keys;
    private readonly bool[] _published;
    private readonly Dictionary<UInt128, int> _byKey;

    // Doubly linked list of free blocks through arrays; the entry behind the last block is its anchor. Blocks without content to reuse sit in front.
    private readonly int[] _next;
    private readonly int[] _previous;
    private readonly int _anchor;

    public BlockPool(int blockCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blockCount, 1);
        _references = new int[blockCount];
        _keys = new UInt128[blockCount];
        _published = new bool[blockCount];
        _byKey = new Dictionary<UInt128, int>(blockCount);
        _next = new int[blockCount + 1];
        _previous = new int[blockCount + 1];
        _anchor = blockCount;
        _next[_anchor] = _previous[_anchor] = _anchor;
        for (int block = 0; block < blockCount; block++)
        {
            Link(block, _previous[_anchor]);
        }
        FreeCount = blockCount;
    }

    public int Count => _references.Length;

    /// <summary>Blocks nobody holds, cached ones included.</summary>
    public int FreeCount { get; private set; }

    /// <summary>Blocks whose content can be found by key.</summary>
    public int PublishedCount => _byKey.Count;

    public int ReferencesOf(int block) => _references[block];

    /// <summary>Takes the block that was free longest, forgetting its content. Call only while <see cref="FreeCount"/> is above 0.</summary>
    public int Acquire()
    {
        Debug.Assert(FreeCount > 0, "the pool is empty");
        int block = _next[_anchor];
        Unlink(block);
        Forget(block);
        _references[block] = 1;
        return block;
    }

    /// <summary>One more holder of a block, which may be a free one found by key.</summary>
    public void Retain(int block)
    {
        if (_references[block]++ == 0)
        {
            Unlink(block);
        }
    }

    /// <summary>One holder less; the last one's release puts the block on the free list.</summary>
    public void Release(int block)
    {
        Debug.Assert(_references[block] > 0, "released more often than held");
        if (--_references[block] == 0)
        {
            Link(block, _published[block] ? _previous[_anchor] : _anchor);
            FreeCount++;
        }
    }

    /// <summary>Finds a block by the key of its content, held or free.</summary>
    public bool TryFind(UInt128 key, out int block) => _byKey.TryGetValue(key, out block);

    /// <summary>Makes a full block findable. The first block of a key stays the one that is found.</summary>
    public void Publish(int block, UInt128 key)
    {
        Debug.Assert(_references[block] > 0, "only a held block has known content");
        if (!_published[block] && _byKey.TryAdd(key, block))
        {
            _keys[block] = key;
            _published[block] = true;
        }
    }

    /// <summary>Forgets all content, as after a failed step. References stay.</summary>
    public void ForgetAll()
    {
        _byKey.Clear();
        Array.Clear(_published);
    }

    private void Forget(int block)
    {
        if (_published[block])
        {
            _byKey.Remove(_keys[block]);
            _published[block] = false;
        }
    }

    private void Link(int block, int behind)
    {
        int next = _next[behind];
        _next[behind] = block;
        _previous[block] = behind;
        _next[block] = next;
        _previous[next] = block;
    }

    private void Unlink(int block)
    {
        _next[_previous[block]] = _next[block];
        _previous[_next[block]] = _previous[block];
        FreeCount--;
    }
}
