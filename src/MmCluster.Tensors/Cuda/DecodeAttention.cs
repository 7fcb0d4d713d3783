namespace MmCluster.Tensors.Cuda;

/// <summary>
/// Attention of one new token a sequence, with its rotation and its append to the cache (attention_decode.cu). The grid depends on the number of
/// sequences only, so a captured launch serves all contexts. What does not fit is refused, and goes the general way.
/// </summary>
internal sealed unsafe class DecodeAttention
{
    private const int HeadsATile = 8;
    private const int Warps = 8;
    private const int MaxSplits = 32;

    private readonly CudaContext _context;
    private readonly KernelTable<(int HeadDim, DType DType)> _kernels;

    internal DecodeAttention(CudaContext context)
    {
        _context = context;
        _kernels = new(key => context.Kernels.Module("attention_decode", $"-DHEAD_DIM={key.HeadDim}", $"-DWARPS={Warps}",
            $"-DMIN_BLOCKS={(key.HeadDim > 128 ? 1 : 2)}", HalfRows.Define(key.DType))["attention_decode"]);
    }

    /// <summary>Most tiles times splits that a launch with more than one split has; its partial results have room in the workspace.</summary>
    private int MaxParts => 8 * _context.Properties.Multiprocessors;

    /// <summary>Turns q and k, appends k and v, and attends, where the kernel can.</summary>
    /// <param name="q">[S, H, D], not turned; not changed.</param>
    /// <param name="k">[S, Hkv, D], not turned.</param>
    /// <param name="v">[S, Hkv, D]</param>
    /// <param name="rope">The rotation; null: none.</param>
    /// <param name="cache">Address of the layer's blocks in q's type, as <see cref="PagedKv"/> lays them out.</param>
    /// <param name="batch">One token a sequence; a sequence of length 0 (padding of a graph's bucket) gives zeros. Its numbers are read while the kernel in front
    /// runs: they must not come from kernels that overlap.</param>
    /// <param name="options">Causal; no biases.</param>
    /// <param name="y">[S, H, D]</param>
    internal bool TryRun(Tensor q, Tensor k, Tensor v, RopeTable? rope, nint cache, PagedBatch batch, in AttentionOptions options, Tensor y)
    {
        int sequences = q.Shape[0];
        int heads = q.Shape[1];
        int dim = q.Shape[2];
        int kvHeads = k.Shape[1];
        if (batch.MaxQueries != 1 || sequences != batch.SequenceLengths.Shape[0] || batch.VisibleEnds is not null || batch.VisibleStarts is not null || !Fits(options) || dim % 16 != 0 || dim > 256
            || !HalfRows.IsHalf(q.DType) || !AreHeads(q, q.DType) || !AreHeads(k, q.DType) || !AreHeads(v, q.DType) || !AreHeads(y, q.DType)
            || sequences > 65535 || v.Shape[2] != dim)
        {
            return false;
        }

        int tiles = kvHeads * (((heads / kvHeads) + HeadsATile - 1) / HeadsATile);
        int splits = Splits(tiles * sequences);
        nint workspace = Workspace();
        nint softmax = workspace + (MaxParts * sizeof(int));
        nint partial = softmax + (MaxParts * HeadsATile * sizeof(float) * 2);
        int sums = Warps * Math.Min(HeadsATile, heads / kvHeads) * dim * sizeof(float);
        var shape = new LaunchShape((tiles, splits, sequences), Warps * 32, sums) { Overlaps = true };
        _kernels[(dim, q.DType)].Launch(
            _context.Stream, shape, q, k, v, q.Stride(0), k.Stride(0), v.Stride(0), cache, batch.SequenceLengths,
            batch.BlockTables, batch.BlockTables.Shape[1], batch.SlotMapping, batch.Positions,
            rope?.Cos, rope?.Sin, rope?.RotaryDim ?? 0, rope?.Interleaved ?? false,
            partial, softmax, workspace, y, y.Stride(0), heads, kvHeads, options.Window ?? 0,
            (options.Scale ?? 1f / MathF.Sqrt(dim)) * FlashAttention.Log2E, (options.SoftCap ?? 0) * FlashAttention.Log2E);
        return true;
    }

    /// <summary>Whether the options ask for nothing that these kernels lack.</summary>
    internal static bool Fits(in AttentionOptions options) => options is { Causal: true, AlibiSlopes: null, DistanceBias: null };

    /// <summary>Whether heads lie side by side in rows of a type that can be read 8 elements at a time.</summary>
    internal static bool AreHeads(Tensor x, DType dtype) =>
        x.DType == dtype && x.Stride(2) == 1 && x.Stride(1) == x.Shape[2] && x.Stride(0) % 8 == 0 && x.Shape[2] % 8 == 0 && HalfRows.IsAligned((nint)x.Data);

    // A context is split only where tiles alone do not fill the GPU.
    private int Splits(int parts) => Math.Clamp(((_context.Properties.Multiprocessors * 5 / 4) + (parts / 2)) / Math.Max(1, parts), 1, MaxSplits);

    // Arrival counters, zero between launches, then largest scores and sums, then partial outputs.
    private nint Workspace() =>
        _context.Stream.Scratch(this, bytes: MaxParts * (sizeof(int) + (HeadsATile * sizeof(float) * (2L + 256))), zeros: MaxParts * sizeof(int));
}
