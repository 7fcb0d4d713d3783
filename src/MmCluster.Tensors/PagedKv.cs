using System.Runtime.InteropServices;
using MmCluster.Tensors.Cpu.Attention;

namespace MmCluster.Tensors;

/// <summary>
/// Keys and values of one layer in blocks of 16 positions, in F32, BF16 or Q8_0. Appending rounds, attention widens what it reads, in registers. The
/// processor keeps a block as [kv head], there keys [d][16 positions], so that one vector holds the scores of a block, then values [16 positions][d], rows
/// filled with zeros to a multiple of 16. Q8_0 here has one F32 scale a position and head, max |x| / 127, not one in 32 values: scores and weights are
/// multiplied by it, not elements; the 16 scales of keys and 16 of values stand behind a head's values. A GPU keeps a block as [kv head][keys [16 positions][d],
/// then values likewise]. Not thread-safe for writers.
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
    /// <param name="dtype">F32, BF16 or Q8_0; on a GPU F32, F16 or BF16.</param>
    /// <param name="device">Where; the processor when null.</param>
    /// <exception cref="ArgumentException">Another type.</exception>
    /// <exception cref="InsufficientMemoryException">A GPU has no room for them.</exception>
    public PagedKv(int blockCount, int kvHeads, int headDim, DType dtype = DType.F32, Device? device = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(blockCount);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(kvHeads);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(headDim);
        BlockCount = blockCount;
        KvHeads = kvHeads;
        HeadDim = headDim;
        DType = dtype;
        Device = device ?? Device.Cpu;
        BlockBytes = BytesABlock(kvHeads, headDim, dtype, Device);
        _storage = Device.Backend.AllocateZeroed(checked(BlockBytes * Math.Max(blockCount, 1)));
    }

    /// <summary>Blocks.</summary>
    public int BlockCount { get; }

    /// <summary>Heads of keys and values.</summary>
    public int KvHeads { get; }

    /// <summary>Length of a head's key and value.</summary>
    public int HeadDim { get; }

    /// <summary>How elements are kept: F32, BF16 or Q8_0.</summary>
    public DType DType { get; }

    /// <summary>Where it lies.</summary>
    public Device Device { get; }

    /// <summary>Bytes one block takes.</summary>
    public long BlockBytes { get; }

    /// <summary>All blocks: [block][kv head][keys, then values].</summary>
    internal byte* Data
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return (byte*)_storage.Address;
        }
    }

    /// <summary>
    /// Bytes one block takes for these heads; on the processor with D' = headDim filled to a multiple of 16, kvHeads times 16 (headDim + D') times 4
    /// (F32), 2 (BF16) or 1 (Q8_0, and 128 more for its scales); on a GPU nothing is filled up.
    /// </summary>
    /// <exception cref="ArgumentException">Another type.</exception>
    public static long BytesABlock(int kvHeads, int headDim, DType dtype = DType.F32, Device? device = null) => (device is null or { IsCpu: true }, dtype) switch
    {
        (true, DType.F32 or DType.BF16 or DType.Q8_0) => checked(kvHeads * new KvView { DType = dtype, KeyDim = headDim, ValueDim = headDim }.HeadBytes),
        (false, DType.F32 or DType.F16 or DType.BF16) => checked(2L * kvHeads * BlockSize * headDim * dtype.Size()),
        (true, _) => throw new ArgumentException($"paged kv: keys and values are kept in F32, BF16 or Q8_0, not in {dtype}"),
        _ => throw new ArgumentException($"paged kv: a GPU keeps keys and values in F32, F16 or BF16, not in {dtype}"),
    };

    /// <summary>Copies a block over another.</summary>
    /// <exception cref="ArgumentException">No such block.</exception>
    public void CopyBlock(int source, int target)
    {
        CheckBlock(source);
        CheckBlock(target);
        using Tensor from = BlockTensor(source);
        using Tensor to = BlockTensor(target);
        to.CopyFrom(from);
    }

    /// <summary>The bytes of a block on any device as U8 [BlockBytes], without a copy.</summary>
    /// <exception cref="ArgumentException">No such block.</exception>
    public Tensor BlockTensor(int block)
    {
        CheckBlock(block);
        ObjectDisposedException.ThrowIf(_disposed, this);
        return Tensor.Over(_storage, block * BlockBytes, [checked((int)BlockBytes)], DType.U8, Device);
    }

    /// <summary>The bytes of a block, for moving it to another node or tier.</summary>
    /// <exception cref="ArgumentException">No such block, or not on the processor.</exception>
    public Span<byte> Block(int block)
    {
        CheckBlock(block);
        if (!Device.IsCpu)
        {
            throw new ArgumentException($"paged kv: a block on {Device} has no span; use BlockTensor");
        }

        return MemoryMarshal.CreateSpan(ref Data[block * BlockBytes], checked((int)BlockBytes));
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
