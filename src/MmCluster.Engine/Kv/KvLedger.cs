using MmCluster.Engine.Scheduling;

namespace MmCluster.Engine.Kv;

/// <summary>
/// Gives KV blocks to sequences and takes them back: growth, the prefix cache's look-up and publishing, forks that share a prompt.
/// Not thread-safe: the scheduler owns it.
/// </summary>
internal sealed class KvLedger(int blockCount, int blockSize, bool caching)
{
    private const int HashCost = 4;

    private readonly Queue<Sequence> _toPublish = new(256);

    public BlockPool Pool { get; } = new(blockCount);

    public int BlockSize { get; } = blockSize;

    /// <summary>Positions looked up in the prefix cache, since the start.</summary>
    public long CacheQueries { get; private set; }

    /// <summary>Positions found there, since the start.</summary>
    public long CacheHits { get; private set; }

    public int BlocksFor(int positions) => (positions + BlockSize - 1) / BlockSize;

    /// <summary>Blocks still lacking for <paramref name="positions"/> positions of a sequence.</summary>
    public int Lacking(Sequence sequence, int positions) =>
        Math.Max(0, BlocksFor(positions) - sequence.BlockCount + (sequence.HoldsForkedPartial ? 1 : 0));

    /// <summary>Adds the blocks for <paramref name="positions"/> positions, which the caller knows to be free.</summary>
    public void Grow(Sequence sequence, int positions)
    {
        for (int lacking = BlocksFor(positions) - sequence.BlockCount; lacking > 0; lacking--)
        {
            sequence.AddBlock(Pool.Acquire());
        }
    }

    /// <summary>
    /// Gives a sequence without blocks the longest cached prefix: full blocks, never its last known token, which is always computed, and
    /// never a part of a media item with bidirectional attention.
    /// </summary>
    public void Adopt(Sequence sequence)
    {
        if (!caching)
        {
            return;
        }
        int hits = 0;
        int limit = (sequence.Length - 1) / BlockSize;
        while (hits < limit && Pool.TryFind(KeyOf(sequence, hits), out _))
        {
            hits++;
        }
        hits = WithoutBrokenSpans(sequence, hits);
        for (int i = 0; i < hits; i++)
        {
            Pool.TryFind(sequence.Keys[i], out int block);
            Pool.Retain(block);
            sequence.AddBlock(block);
        }
        sequence.Computed = sequence.Planned = hits * BlockSize;
        sequence.PublishedBlocks = hits;
    }

    /// <summary>Counts a look-up whose result was used.</summary>
    public void CountLookup(Sequence sequence)
    {
        CacheQueries += sequence.Length;
        CacheHits += sequence.Planned;
    }

    /// <summary>
    /// Lets <paramref name="child"/> hold the blocks of their common prompt, all but its last token, which each choice computes for its own first
    /// sample. A partial last block is only borrowed: it is copied when the child starts.
    /// </summary>
    public void Fork(Sequence parent, Sequence child)
    {
        int shared = parent.PromptLength - 1;
        int blocks = BlocksFor(shared);
        for (int i = 0; i < blocks; i++)
        {
            Pool.Retain(parent.Blocks[i]);
            child.AddBlock(parent.Blocks[i]);
        }
        child.HoldsForkedPartial = shared % BlockSize != 0;
        child.Computed = child.Planned = shared;
        child.PublishedBlocks = shared / BlockSize;
    }

    /// <summary>Replaces the borrowed partial block of a fork by an own one; the caller knows that a block is free.</summary>
    public BlockCopy OwnPartial(Sequence child)
    {
        int source = child.Blocks[^1];
        int target = Pool.Acquire();
        child.ReplaceLastBlock(target);
        child.HoldsForkedPartial = false;
        Pool.Release(source);
        return new BlockCopy(source, target);
    }

    /// <summary>Publishes what is computed and gives all blocks back; the sequence starts over if it runs again.</summary>
    public void Release(Sequence sequence, bool contentIsGood = true)
    {
        if (contentIsGood)
        {
            Publish(sequence, int.MaxValue);
        }
        // Last block first: the front of a prefix is then the last to be evicted.
        ReadOnlySpan<int> blocks = sequence.Blocks;
        for (int i = blocks.Length - 1; i >= 0; i--)
        {
            Pool.Release(blocks[i]);
        }
        sequence.Restart();
    }

    /// <summary>Notes that a sequence may have full blocks to publish.</summary>
    public void Computed(Sequence sequence)
    {
        if (caching && !sequence.QueuedForPublishing && sequence.Computed / BlockSize > sequence.PublishedBlocks)
        {
            sequence.QueuedForPublishing = true;
            _toPublish.Enqueue(sequence);
        }
    }

    /// <summary>
    /// Publishes blocks for about <paramref name="budget"/>: a block whose key is known costs 1, one that must be hashed <see cref="HashCost"/>. Sequences
    /// that fill a block in the same step would make that step a slow one, so hashing is spread over steps.
    /// </summary>
    public void PublishSome(int budget)
    {
        while (budget > 0 && _toPublish.TryDequeue(out Sequence? sequence))
        {
            sequence.QueuedForPublishing = false;
            budget -= Publish(sequence, budget);
            Computed(sequence);
        }
    }

    /// <summary>Forgets all content and what waits to be published.</summary>
    public void ForgetAll()
    {
        Pool.ForgetAll();
        foreach (Sequence sequence in _toPublish)
        {
            sequence.QueuedForPublishing = false;
        }
        _toPublish.Clear();
    }

    // Returns what it cost.
    private int Publish(Sequence sequence, int budget)
    {
        if (!caching || sequence.HoldsForkedPartial)
        {
            return 0;
        }
        int cost = 0;
        int full = sequence.Computed / BlockSize;
        for (; sequence.PublishedBlocks < full && cost < budget; sequence.PublishedBlocks++)
        {
            int block = sequence.PublishedBlocks;
            cost += block < sequence.Keys.Count ? 1 : HashCost;
            Pool.Publish(sequence.Blocks[block], KeyOf(sequence, block));
        }
        return cost;
    }

    private UInt128 KeyOf(Sequence sequence, int block)
    {
        List<UInt128> keys = sequence.Keys;
        PromptLayout layout = sequence.Request.Layout;
        while (keys.Count <= block)
        {
            int start = keys.Count * BlockSize;
            keys.Add(BlockKeys.Next(
                keys.Count > 0 ? keys[^1] : layout.Root,
                sequence.Tokens.Slice(start, BlockSize),
                start,
                start < sequence.PromptLength ? layout.Media : []));
        }
        return keys[block];
    }

    private int WithoutBrokenSpans(Sequence sequence, int blocks)
    {
        PromptMedia[] media = sequence.Request.Layout.Media;
        for (int i = media.Length - 1; i >= 0; i--)
        {
            int end = blocks * BlockSize;
            if (media[i].Bidirectional && media[i].Position < end && end < media[i].End)
            {
                blocks = media[i].Position / BlockSize;
            }
        }
        return blocks;
    }
}
