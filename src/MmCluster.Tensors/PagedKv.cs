using System.Runtime.InteropServices;

namespace MmCluster.Tensors;

/// <summary>
/// Keys and values of one layer in blocks of 16 positions. The processor keeps a block's keys as [kv head][d][16 positions], so that one vector holds
/// the scores of a block, and its values as [kv head][16 positions][d], rows filled with zeros to a multiple of 16. Not thread-safe for writers.
/// </summary>
public sealed unsafe class PagedKv : IDisposable
{
    /// <summary>Positions a block holds.</summary>
    public const int BlockSize = 16;

    private readonly Storage _storage;
    private bool _disposed;

    /// <summary>Zeroed blocks; the system gives memory for them as they are written.</summary>
    /// <param name="blockCount">Blocks.</param>
    /// <param name="kvHeads">Heads of keys and values.</param>
    /// <param name="headDim">Length of a head's key and value.</param>
    /// <param name="device">Where; the processor when null.</param>
    public PagedKv(int blockCount, int kvHeads, int headDim, Device? device = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(blockCount);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(kvHeads);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(headDim);
        BlockCount = blockCount;
        KvHeads = kvHeads;
        HeadDim = headDim;
        Device = device ?? Device.Cpu;
        BlockBytes = BytesABlock(kvHeads, headDim);
        _storage = Storage.AllocateZeroed(checked(BlockBytes * Math.Max(blockCount, 1)));
    }

    /// <summary>Blocks.</summary>
    public int BlockCount { get; }

    /// <summary>Heads of keys and values.</summary>
    public int KvHeads { get; }

    /// <summary>Length of a head's key and value.</summary>
    public int HeadDim { get; }

    /// <summary>Where it lies.</summary>
    public Device Device { get; }

    /// <summary>Bytes one block takes.</summary>
    public long BlockBytes { get; }

    internal long BlockFloats => BlockBytes / sizeof(float);

    /// <summary>All blocks: [block][kv head][keys, then values].</summary>
    internal float* Data
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return (float*)_storage.Address;
        }
    }

    /// <summary>Bytes one block takes for these heads.</summary>
    public static long BytesABlock(int kvHeads, int headDim) =>
        checked((long)kvHeads * BlockSize * (headDim + ((headDim + 15) & ~15)) * sizeof(float));

    /// <summary>Copies a block over another.</summary>
    /// <exception cref="ArgumentException">No such block.</exception>
    public void CopyBlock(int source, int target)
    {
        CheckBlock(source);
        CheckBlock(target);
        Buffer.MemoryCopy(Data + (source * BlockFloats), Data + (target * BlockFloats), BlockBytes, BlockBytes);
    }

    /// <summary>The bytes of a block, for moving it to another node or tier.</summary>
    /// <exception cref="ArgumentException">No such block.</exception>
    public Span<byte> Block(int block)
    {
        CheckBlock(block);
        return MemoryMarshal.CreateSpan(ref *(byte*)(Data + (block * BlockFloats)), checked((int)BlockBytes));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _storage.Release();
        }
    }

    private void CheckBlock(int block)
    {
        if ((uint)block >= (uint)BlockCount)
        {
            throw new ArgumentException($"paged kv: block {block} is not in 0..{BlockCount - 1}");
        }
    }
}
