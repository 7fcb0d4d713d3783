namespace MmCluster.Tensors.Cuda;

/// <summary>
/// Attention of many queries with tensor cores, over the paged cache or over tensors (attention_prefill.cu, attention_hopper.cu). What does not fit is refused, and goes the
/// general way.
/// </summary>
internal sealed unsafe class FlashAttention
{
    /// <summary>Softmax runs in powers of 2.</summary>
    internal const float Log2E = 1.44269504f;

    private const int MaxTiles = 65535; // a grid's second dimension

    private readonly CudaContext _context;
    private readonly KernelTable<(Build Build, DType DType)> _kernels;

    internal FlashAttention(CudaContext context)
    {
        _context = context;
        _kernels = new(key => context.Kernels.Module(key.Build.File, [.. key.Build.Defines, HalfRows.Define(key.DType)])[key.Build.File]);
    }

    /// <summary>Attention of a ragged batch over the cache, in which this step's keys and values are already.</summary>
    /// <param name="q">[T, H, D], turned.</param>
    /// <param name="cache">Address of the layer's blocks in q's type, as <see cref="PagedKv"/> lays them out.</param>
    /// <param name="kvHeads">Heads of the cache.</param>
    /// <param name="batch">Which sequences.</param>
    /// <param name="options">No biases.</param>
    /// <param name="y">[T, H, D]</param>
    internal bool TryPaged(Tensor q, nint cache, int kvHeads, PagedBatch batch, in AttentionOptions options, Tensor y)
    {
        if (!Fits(q, batch, options, y))
        {
            return false;
        }

        (int tokens, int heads, int dim) = (q.Shape[0], q.Shape[1], q.Shape[2]);
        int sequences = batch.SequenceLengths.Shape[0];
        Build build = Choose(dim, (long)heads * tokens, paged: true, options);
        int tiles = (tokens / build.Queries) + sequences; // each sequence's last tile may be part of one
        var shape = new LaunchShape((heads, tiles), build.Threads, build.SharedBytes) { Overlaps = true };
        _kernels[(build, q.DType)].Launch(
            _context.Stream, shape, q, 0L, q.Stride(0), q.Stride(1), cache, 0L, 0L, 0L, 0L, batch.QueryStarts, 0, batch.SequenceLengths, 0,
            batch.BlockTables, batch.BlockTables.Shape[1], batch.VisibleEnds, batch.VisibleStarts, y, 0L, y.Stride(0), y.Stride(1), sequences, heads, kvHeads,
            options.Causal, true, options.Window ?? 0, (options.Scale ?? 1f / MathF.Sqrt(dim)) * Log2E, (options.SoftCap ?? 0) * Log2E);
        return true;
    }

    /// <summary>Whether <see cref="TryPaged"/> takes it.</summary>
    internal bool Fits(Tensor q, PagedBatch batch, in AttentionOptions options, Tensor y)
    {
        (int tokens, int heads, int dim) = (q.Shape[0], q.Shape[1], q.Shape[2]);
        return options is { AlibiSlopes: null, DistanceBias: null } && dim % 8 == 0 && dim <= 256 && HalfRows.IsHalf(q.DType) && AreRows(q, q.DType) && AreRows(y, q.DType)
            && (tokens / Choose(dim, (long)heads * tokens, paged: true, options).Queries) + batch.SequenceLengths.Shape[0] <= MaxTiles;
    }

    /// <summary>Attention of tensors without mask or bias: q and y [B, H, Lq, D], k and v [B, Hkv, Lk, D], last axes dense.</summary>
    internal bool TryDense(Tensor q, Tensor k, Tensor v, in AttentionOptions options, Tensor y)
    {
        (int batch, int heads, int queries, int dim) = (q.Shape[0], q.Shape[1], q.Shape[2], q.Shape[3]);
        if (options.AlibiSlopes is not null || options.Window is not null || dim % 8 != 0 || dim > 256 || v.Shape[3] != dim || !HalfRows.IsHalf(q.DType)
            || !AreRows(q, q.DType) || !AreRows(k, q.DType) || !AreRows(v, q.DType) || !AreRows(y, q.DType) || !AreAlike(k, v))
        {
            return false;
        }

        Build build = Choose(dim, (long)batch * heads * queries, paged: false, options);
        long tiles = (long)batch * ((queries + build.Queries - 1) / build.Queries);
        if (tiles > MaxTiles)
        {
            return false;
        }

        var shape = new LaunchShape((heads, (int)tiles), build.Threads, build.SharedBytes) { Overlaps = true };
        _kernels[(build, q.DType)].Launch(
            _context.Stream, shape, q, q.Stride(0), q.Stride(2), q.Stride(1), k, v, k.Stride(0), k.Stride(2), k.Stride(1), 0L, queries, 0L, k.Shape[2],
            0L, 0, 0L, 0L, y, y.Stride(0), y.Stride(2), y.Stride(1), batch, heads, k.Shape[1],
            options.Causal, false, 0, (options.Scale ?? 1f / MathF.Sqrt(dim)) * Log2E, (options.SoftCap ?? 0) * Log2E);
        return true;
    }

    // From timings on an H100 (bench/MmCluster.Bench.Cuda). Larger tiles read keys and values less often, and need enough of them to fill the GPU.
    private Build Choose(int dim, long rows, bool paged, in AttentionOptions options)
    {
        bool softCap = options.SoftCap is not null;
        bool many = !_context.Deterministic && rows >= 128L * 4 * _context.Properties.Multiprocessors;
        return (_context.Properties.Major == 9, dim) switch
        {
            (true, 64) => new Build(true, dim, 8, 1, 128, many ? 2 : 1, paged, softCap),
            (true, 128) => many ? new Build(true, dim, 8, 1, 64, 2, paged, softCap) : new Build(true, dim, 12, 1, 64, 1, paged, softCap),
            (_, > 128) => new Build(false, dim, 8, 1, 32, 1, paged, softCap),
            (_, > 64) => many ? new Build(false, dim, 4, 2, 32, 2, paged, softCap) : new Build(false, dim, 8, 1, 64, 1, paged, softCap),
            _ => many ? new Build(false, dim, 4, 2, 64, 2, paged, softCap) : new Build(false, dim, 4, 1, 64, 2, paged, softCap),
        };
    }

    // Every step between rows a multiple of 16 bytes.
    private static bool AreRows(Tensor x, DType dtype)
    {
        bool even = x.DType == dtype && x.Stride(-1) == 1 && HalfRows.IsAligned((nint)x.Data);
        for (int axis = 0; axis < x.Rank - 1; axis++)
        {
            even &= x.Stride(axis) % 8 == 0 || x.Shape[axis] == 1;
        }

        return even;
    }

    private static bool AreAlike(Tensor k, Tensor v) => k.Stride(0) == v.Stride(0) && k.Stride(1) == v.Stride(1) && k.Stride(2) == v.Stride(2);

    /// <summary>One way to compile attention_prefill.cu or attention_hopper.cu, which explain the numbers.</summary>
    private readonly record struct Build(bool Hopper, int HeadDim, int Warps, int RowTiles, int Keys, int MinBlocks, bool Paged, bool SoftCap)
    {
        internal string File => Hopper ? "attention_hopper" : "attention_prefill";

        internal int Queries => 16 * RowTiles * Warps;

        internal int Threads => Warps * 32;

        internal int SharedBytes => Hopper
            ? ((Queries + (4 * Keys)) * HeadDim * 2) + 1024 // begins on 1,024 bytes
            : (Queries + (4 * Keys)) * (((HeadDim + 15) / 16 * 16) + 8) * 2;

        internal string[] Defines =>
        [
            $"-DHEAD_DIM={HeadDim}", $"-DKEYS={Keys}", $"-DMIN_BLOCKS={MinBlocks}", $"-DPAGED={(Paged ? 1 : 0)}", $"-DSOFT_CAP={(SoftCap ? 1 : 0)}",
            .. Hopper ? (ReadOnlySpan<string>)[$"-DWARPGROUPS={Warps / 4}"] : [$"-DWARPS={Warps}", $"-DROW_TILES={RowTiles}"],
        ];
    }
}
