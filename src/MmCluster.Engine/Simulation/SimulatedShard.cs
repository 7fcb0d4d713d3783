namespace MmCluster.Engine.Simulation;

/// <summary>
/// Some layers of the simulated model: block tables and KV of its own. Each KV position holds the state behind it, so that a wrong block, here or on
/// another shard, gives wrong tokens.
/// </summary>
internal sealed class SimulatedShard(int slots, int blocks, int blockSize)
{
    private readonly List<int>?[] _tables = new List<int>?[slots];
    private readonly ulong[] _kv = new ulong[(long)blocks * blockSize];

    public void Drop()
    {
        Array.Clear(_tables);
        Array.Clear(_kv);
    }

    /// <summary>Slots that end and start, blocks that are copied.</summary>
    public void Prepare(ReadOnlySpan<int> ends, ReadOnlySpan<SlotStart> starts, ReadOnlySpan<BlockCopy> copies)
    {
        foreach (int slot in ends)
        {
            _tables[slot] = null;
        }
        foreach (SlotStart start in starts)
        {
            _tables[start.Slot] = _tables[start.Slot] is null ? [] : throw new InvalidOperationException($"slot {start.Slot} is in use");
        }
        foreach (BlockCopy copy in copies)
        {
            _kv.AsSpan(copy.Source * blockSize, blockSize).CopyTo(_kv.AsSpan(copy.Target * blockSize));
        }
    }

    /// <summary>Appends a chunk's blocks to its slot's table and computes its positions.</summary>
    public void Compute(in SlotChunk chunk, ReadOnlySpan<int> newBlocks, ulong start, ReadOnlySpan<ulong> inputs)
    {
        List<int> table = TableOf(chunk.Slot);
        foreach (int block in newBlocks)
        {
            table.Add(block);
        }
        for (int i = 0; i < inputs.Length; i++)
        {
            int position = chunk.Start + i;
            ulong before = position == 0 ? start : _kv[Address(table, position - 1)];
            _kv[Address(table, position)] = SimulatedModel.Next(before, inputs[i]);
        }
    }

    /// <summary>State behind a position of a slot.</summary>
    public ulong StateAt(int slot, int position) => _kv[Address(TableOf(slot), position)];

    private List<int> TableOf(int slot) => _tables[slot] ?? throw new InvalidOperationException($"slot {slot} is empty");

    private int Address(List<int> table, int position) => (table[position / blockSize] * blockSize) + (position % blockSize);
}
