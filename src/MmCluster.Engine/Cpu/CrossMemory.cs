using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Cpu;

/// <summary>
/// Blocks of cross-attention KV that one sequence, or several choices of one request, attend to: an encoder's output or media features.
/// </summary>
internal sealed class CrossMemory(CrossMemories owner, int region)
{
    /// <summary>Which run of blocks.</summary>
    public int Region { get; } = region;

    /// <summary>Rows in it.</summary>
    public int Length { get; set; }

    /// <summary>Where each media item's rows end, in the order of the prompt, for cross-attention to media.</summary>
    public List<int> MediaEnds { get; } = [];

    private int _holders = 1;

    public CrossMemory Share()
    {
        _holders++;
        return this;
    }

    public void Release()
    {
        if (--_holders == 0)
        {
            owner.Free(Region);
        }
    }
}

/// <summary>
/// All cross-attention KV of an executor, on its device: a region of blocks a slot, given out whole, because a memory is written once and not shared in parts.
/// </summary>
internal sealed class CrossMemories : IDisposable
{
    private readonly ICrossBackbone _backbone;
    private readonly Device _device;
    private readonly PagedKv[] _kv;
    private readonly Stack<int> _free = new();
    private readonly int _regions;

    /// <param name="backbone">The network.</param>
    /// <param name="slots">Sequences at once.</param>
    /// <param name="maxLength">Rows of the longest memory.</param>
    /// <param name="dtype">How keys and values are kept.</param>
    /// <param name="device">Where the network is.</param>
    public CrossMemories(ICrossBackbone backbone, int slots, int maxLength, DType dtype, Device device)
    {
        (_backbone, _regions, _device, MaxLength, Blocks) = (backbone, slots, device, maxLength, BlocksFor(maxLength));
        CrossSpec cross = backbone.Cross;
        _kv = [.. Enumerable.Range(0, cross.Layers).Select(_ => new PagedKv(slots * Blocks, cross.KvHeads, cross.HeadDim, dtype, device))];
        Reset();
    }

    /// <summary>Keys and values, one a cross layer.</summary>
    public IReadOnlyList<PagedKv> Kv => _kv;

    /// <summary>Rows of the longest memory.</summary>
    public int MaxLength { get; }

    /// <summary>Blocks of a region.</summary>
    public int Blocks { get; }

    /// <summary>Blocks that a memory of some rows takes.</summary>
    public static int BlocksFor(int length) => (length + PagedKv.BlockSize - 1) / PagedKv.BlockSize;

    public CrossMemory Take() => new(this, _free.Pop());

    public void Free(int region) => _free.Push(region);

    /// <summary>All regions are free.</summary>
    public void Reset()
    {
        _free.Clear();
        for (int region = _regions - 1; region >= 0; region--)
        {
            _free.Push(region);
        }
    }

    /// <summary>Appends rows [L, width] to a memory; call it inside a tensor scope.</summary>
    /// <exception cref="ArgumentException">They do not fit.</exception>
    public void Append(CrossMemory memory, Tensor rows)
    {
        int count = rows.Size(0);
        CheckRoom(memory.Length + count);
        Tensor tables = Tensor.Zeros([1, Blocks], DType.I32);
        Tensor mapping = Tensor.Zeros([count], DType.I32);
        Tensor positions = Tensor.Zeros([count], DType.I32);
        Span<int> slots = mapping.AsSpan<int>();
        Span<int> places = positions.AsSpan<int>();
        for (int i = 0; i < count; i++)
        {
            slots[i] = (memory.Region * Blocks * PagedKv.BlockSize) + memory.Length + i;
            places[i] = memory.Length + i;
        }
        FillTable(memory, tables.AsSpan<int>());
        PagedBatch batch = new()
        {
            QueryStarts = Tensor.Of(0, count),
            SequenceLengths = Tensor.Of(memory.Length + count),
            BlockTables = tables,
            SlotMapping = mapping,
            Positions = positions,
        };
        _backbone.AppendCross(rows, _kv, batch.To(_device));
        memory.Length += count;
    }

    /// <summary>Refuses a memory that is too long.</summary>
    /// <exception cref="ArgumentException">It is.</exception>
    public void CheckRoom(int length)
    {
        if (length > MaxLength)
        {
            throw new ArgumentException($"what the decoder attends to takes {length} positions; there is room for {MaxLength}");
        }
    }

    /// <summary>Writes a memory's blocks, <see cref="Blocks"/> of them.</summary>
    public void FillTable(CrossMemory memory, Span<int> table)
    {
        for (int i = 0; i < Blocks; i++)
        {
            table[i] = (memory.Region * Blocks) + i;
        }
    }

    public void Dispose() => Array.ForEach(_kv, kv => kv.Dispose());
}
