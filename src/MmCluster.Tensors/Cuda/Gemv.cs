namespace MmCluster.Tensors.Cuda;

/// <summary>What a product does besides x Wᵀ; all of it in one launch of gemv.cu.</summary>
internal readonly ref struct GemvOptions
{
    /// <summary>F32 [K]: x is normalized first, as RMSNorm does, and multiplied with this; null: taken as it is.</summary>
    internal Tensor? Gain { get; init; }

    /// <summary>RMSNorm's.</summary>
    internal float Eps { get; init; }

    /// <summary>F32 [N] or null.</summary>
    internal Tensor? Bias { get; init; }

    /// <summary>Of the result; of the gate where <see cref="Gated"/>.</summary>
    internal Activation Activation { get; init; }

    /// <summary>The upper half of W's rows is a gate: y [M, N / 2] = activation(gate) * up.</summary>
    internal bool Gated { get; init; }

    /// <summary>Adds to y what it has.</summary>
    internal bool Adds { get; init; }
}

/// <summary>
/// Products of few tokens with a matrix of 16-bit elements or of a narrower format, at the speed of reading it (gemv.cu). What it does not fit is
/// refused, and goes the general way. Sums run in an order that depends on shapes only.
/// </summary>
internal sealed class Gemv
{
    private const int MaxTokens = 16;
    private const int MaxTokensNarrow = 64; // more are worth turning the matrix into 16 bits for the tensor cores' products

    private readonly CudaContext _context;
    private readonly KernelTable<(Build Build, Kind Kind, DType DType, DType Weight)> _kernels;

    internal Gemv(CudaContext context)
    {
        _context = context;
        _kernels = new(key => context.Kernels.Module("gemv", [.. key.Build.Defines, HalfRows.Define(key.DType), Format(key.Weight)])[Name(key.Kind)]);
    }

    /// <summary>The kernels of gemv.cu.</summary>
    private enum Kind
    {
        Plain, Float, Add, Gated, Norm, NormFloat, NormGated,
    }

    /// <summary>Queues the product where it fits the kernel.</summary>
    /// <param name="x">[M, K]</param>
    /// <param name="weight">W [N, K] of x's type, or of a narrower format.</param>
    /// <param name="options">What else.</param>
    /// <param name="y">[M, N] ([M, N / 2] when gated) of x's type, or F32 where only norm and bias are asked for.</param>
    internal bool TryRun(Tensor x, CudaMatrix weight, in GemvOptions options, Tensor y)
    {
        bool wide = y.DType == DType.F32;
        bool narrow = weight.DType is DType.Q8_0 or DType.Q4_0 or DType.F8E4M3;
        int outputs = weight.Rows;
        if (!HalfRows.TryOf(x, out HalfRows input) || input.Rows == 0 || input.Rows > (narrow ? MaxTokensNarrow : MaxTokens)
            || !(narrow || (weight.DType == x.DType && input.Columns % 32 == 0))
            || (options.Gain is not null && !HalfRows.IsVector(options.Gain)) || !(wide || y.DType == x.DType)
            || (wide && (options.Gated || options.Adds || options.Activation != Activation.None))
            || (options.Adds && (options.Gated || options.Gain is not null || options.Activation != Activation.None)))
        {
            return false;
        }

        Build build = narrow ? ChooseNarrow((int)input.Rows, outputs) : Choose((int)input.Rows, outputs);
        int rowsABlock = build.RowTiles * (options.Gated ? 8 : 16);
        int rows = options.Gated ? outputs / 2 : outputs;
        Kind kind = options.Gain is null
            ? options.Gated ? Kind.Gated : options.Adds ? Kind.Add : wide ? Kind.Float : Kind.Plain
            : options.Gated ? Kind.NormGated : wide ? Kind.NormFloat : Kind.Norm;
        int tokensABlock = build.TokenTiles * 8;
        Dim3 grid = ((rows + rowsABlock - 1) / rowsABlock, ((int)input.Rows + tokensABlock - 1) / tokensABlock);
        var shape = new LaunchShape(grid, build.Warps * 32, options.Gain is null ? 0 : 2 * input.Columns) { Overlaps = true };
        _kernels[(build, kind, x.DType, weight.DType)].Launch(
            _context.Stream, shape, weight.Values, weight.Scales, input.Address, options.Gain, options.Bias, y, input.Step, y.Rank > 1 ? y.Stride(-2) : 0L,
            (int)input.Rows, outputs, input.Columns, weight.Stored, (int)options.Activation, options.Eps);
        return true;
    }

    private static string Name(Kind kind) => kind switch
    {
        Kind.Plain => "gemv",
        Kind.Float => "gemv_float",
        Kind.Add => "gemv_add",
        Kind.Gated => "gemv_gated",
        Kind.Norm => "gemv_norm",
        Kind.NormFloat => "gemv_norm_float",
        _ => "gemv_norm_gated",
    };

    // gemv_weights.cuh's names
    private static string Format(DType weight) => weight switch
    {
        DType.Q8_0 => "-DWEIGHTS=1",
        DType.Q4_0 => "-DWEIGHTS=2",
        DType.F8E4M3 => "-DWEIGHTS=3",
        _ => "-DWEIGHTS=0",
    };

    private bool IsMany(int outputs) => outputs >= 64 * _context.Properties.Multiprocessors;

    // From timings on an H100: many rows want two row tiles a block, few rows many warps to split K.
    private Build Choose(int tokens, int outputs)
    {
        bool many = IsMany(outputs);
        return tokens <= 8
            ? many ? new Build(8, 4, 0, 2, 2, 1) : new Build(16, 2, 1, 2, 1, 1)
            : many ? new Build(8, 2, 0, 2, 2, 2) : new Build(16, 2, 0, 2, 1, 2);
    }

    // Turning bytes into elements wants many warps: a third block a multiprocessor gave 10 % on an H200, loading ahead cost as much.
    private Build ChooseNarrow(int tokens, int outputs)
    {
        bool many = IsMany(outputs);
        return tokens <= 8
            ? many ? new Build(8, 2, 0, 3, 2, 1) : new Build(16, 2, 0, 2, 1, 1)
            : tokens <= 16
                ? many ? new Build(8, 2, 0, 2, 2, 2) : new Build(16, 2, 0, 2, 1, 2)
                : new Build(8, 2, 0, 2, many ? 2 : 1, 4);
    }

    /// <summary>One way to compile gemv.cu, which explains the numbers.</summary>
    private readonly record struct Build(int Warps, int Unroll, int Prefetch, int MinBlocks, int RowTiles, int TokenTiles)
    {
        internal string[] Defines =>
        [
            $"-DWARPS={Warps}", $"-DUNROLL={Unroll}", $"-DPREFETCH={Prefetch}", $"-DMIN_BLOCKS={MinBlocks}", $"-DROW_TILES={RowTiles}", $"-DTOKEN_TILES={TokenTiles}",
        ];
    }
}
