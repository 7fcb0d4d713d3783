using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu.Linear;

/// <summary>What a product Y = act(X Wᵀ + bias) works on; shared by all its parts.</summary>
internal unsafe struct LinearArguments
{
    internal float* X; // [M][K], XStep apart
    internal long XStep;
    internal float* Y; // [M][N], YStep apart
    internal long YStep;
    internal int M;
    internal int N;
    internal int K;
    internal byte* Panels;
    internal long PanelBytes;
    internal int PanelCount;
    internal float* Bias;
    internal Activation Activation;
    internal float* Packed; // [tiles][K][6] floats, or the quantized rows
    internal float* Scales; // [tiles][blocks][6]
    internal int* Sums; // [tiles][blocks][6]
    internal int ColumnParts;
    internal int RowParts;

    internal readonly int Tiles => (M + ActivationPacker.TileRows - 1) / ActivationPacker.TileRows;

    /// <summary>Cuts the work: by panels, and by rows too where there are too few panels for the threads.</summary>
    internal void Split(int threads, int panelsAPart)
    {
        int parts = (PanelCount + panelsAPart - 1) / panelsAPart;
        parts = (parts + threads - 1) / threads * threads;
        ColumnParts = Math.Min(parts, PanelCount);
        RowParts = threads > 1 && ColumnParts < 2 * threads ? Math.Clamp(Tiles / 4, 1, 2 * threads) : 1;
    }

    internal readonly void Part(int part, out int panel, out int panelEnd, out int tile, out int tileEnd)
    {
        (int row, int column) = Math.DivRem(part, ColumnParts);
        panel = (int)((long)PanelCount * column / ColumnParts);
        panelEnd = (int)((long)PanelCount * (column + 1) / ColumnParts);
        tile = (int)((long)Tiles * row / RowParts);
        tileEnd = (int)((long)Tiles * (row + 1) / RowParts);
    }

    /// <summary>Bias and activation on a finished rectangle.</summary>
    internal readonly void Finish(int row, int rowEnd, int column, int columnEnd)
    {
        if (Bias == null && Activation == Activation.None)
        {
            return;
        }

        for (; row < rowEnd; row++)
        {
            float* y = Y + (row * YStep) + column;
            if (SimdLevel.Has512)
            {
                Epilogue.Run<Vec512>(y, Bias == null ? null : Bias + column, columnEnd - column, Activation);
            }
            else if (SimdLevel.Has256)
            {
                Epilogue.Run<Vec256>(y, Bias == null ? null : Bias + column, columnEnd - column, Activation);
            }
            else
            {
                Epilogue.Run<Vec128>(y, Bias == null ? null : Bias + column, columnEnd - column, Activation);
            }
        }
    }
}

/// <summary>Bias and activation of one row's piece.</summary>
internal static unsafe class Epilogue
{
    internal static void Run<T>(float* y, float* bias, int n, Activation activation) where T : struct, IVec<T>
    {
        if (bias != null)
        {
            ElementLoops.Zip<AddOp, T>(y, 1, bias, 1, y, 1, n);
        }

        switch (activation)
        {
            case Activation.Relu: ElementLoops.MapDense<ReluOp, T>(y, y, n, 0, 0); break;
            case Activation.Gelu: ElementLoops.MapDense<GeluOp, T>(y, y, n, 0, 0); break;
            case Activation.GeluTanh: ElementLoops.MapDense<GeluTanhOp, T>(y, y, n, 0, 0); break;
            case Activation.QuickGelu: ElementLoops.MapDense<QuickGeluOp, T>(y, y, n, 0, 0); break;
            case Activation.Silu: ElementLoops.MapDense<SiluOp, T>(y, y, n, 0, 0); break;
            case Activation.Sigmoid: ElementLoops.MapDense<SigmoidOp, T>(y, y, n, 0, 0); break;
            case Activation.Tanh: ElementLoops.MapDense<TanhOp, T>(y, y, n, 0, 0); break;
        }
    }
}

/// <summary>Packs the rows of X for the tiles, one tile a part.</summary>
internal unsafe struct InterleaveBody : IParallelBody
{
    internal LinearArguments Arguments;

    public readonly void Invoke(int part)
    {
        int row = part * ActivationPacker.TileRows;
        int rows = Math.Min(ActivationPacker.TileRows, Arguments.M - row);
        ActivationPacker.Interleave(
            Arguments.X + (row * Arguments.XStep), Arguments.XStep, rows, Arguments.K, Arguments.Packed + ((long)row * Arguments.K));
    }
}

/// <summary>Quantizes the rows of X for the tiles, one row a part.</summary>
internal unsafe struct QuantizeBody : IParallelBody
{
    internal LinearArguments Arguments;

    public readonly void Invoke(int part)
    {
        int row = part / ActivationPacker.TileRows * ActivationPacker.TileRows;
        int rows = Math.Min(ActivationPacker.TileRows, Arguments.M - row);
        int within = part - row;
        long blocks = (Arguments.K + DTypes.BlockLength - 1) / DTypes.BlockLength;
        ActivationPacker.Quantize(
            Arguments.X + (part * Arguments.XStep),
            Arguments.K,
            rows,
            (int*)Arguments.Packed + (row * blocks * 16) + within,
            Arguments.Scales + (row * blocks) + within,
            Arguments.Sums + (row * blocks) + within);
    }
}

/// <summary>Y = X Wᵀ over F32 or BF16 panels of 64.</summary>
internal unsafe struct FloatLinearBody<TTiles> : IParallelBody where TTiles : struct, IFloatTiles
{
    private const int CacheBytes = 256 << 10; // a piece of a panel that stays in the second-level cache while all rows pass

    internal LinearArguments Arguments;

    public readonly void Invoke(int part)
    {
        Arguments.Part(part, out int first, out int panelEnd, out int tile, out int tileEnd);
        int whole = Math.Min(panelEnd, Arguments.N / 64);
        int most = Arguments.Tiles == 1 ? Arguments.K : CacheBytes / TTiles.BytesAK; // few rows: one linear stream is what memory likes best
        for (int k = 0; k < Arguments.K; k += most)
        {
            int depth = Math.Min(most, Arguments.K - k);
            for (int panel = first; panel < whole; panel++)
            {
                byte* b = Arguments.Panels + (panel * Arguments.PanelBytes) + ((long)k * TTiles.BytesAK);
                for (int t = tile; t < tileEnd; t++)
                {
                    int row = t * ActivationPacker.TileRows;
                    int rows = Math.Min(ActivationPacker.TileRows, Arguments.M - row);
                    float* a = Arguments.Packed + ((long)row * Arguments.K) + ((long)k * rows);
                    float* c = Arguments.Y + (row * Arguments.YStep) + (panel * 64L);
                    TTiles.Tile(rows, a, b, c, (nint)Arguments.YStep, depth, k > 0);
                }
            }
        }

        if (whole < panelEnd)
        {
            Edge(whole, tile, tileEnd);
        }

        int rowEnd = Math.Min(tileEnd * ActivationPacker.TileRows, Arguments.M);
        Arguments.Finish(tile * ActivationPacker.TileRows, rowEnd, first * 64, Math.Min(panelEnd * 64, Arguments.N));
    }

    // The last panel's columns past N go to a buffer, not over the next row.
    private readonly void Edge(int panel, int tile, int tileEnd)
    {
        float* buffer = stackalloc float[ActivationPacker.TileRows * 64];
        byte* b = Arguments.Panels + (panel * Arguments.PanelBytes);
        int columns = Arguments.N - (panel * 64);
        for (int t = tile; t < tileEnd; t++)
        {
            int row = t * ActivationPacker.TileRows;
            int rows = Math.Min(ActivationPacker.TileRows, Arguments.M - row);
            TTiles.Tile(rows, Arguments.Packed + ((long)row * Arguments.K), b, buffer, 64, Arguments.K, false);
            for (int i = 0; i < rows; i++)
            {
                float* c = Arguments.Y + ((row + i) * Arguments.YStep) + (panel * 64L);
                Buffer.MemoryCopy(buffer + (i * 64), c, columns * 4, columns * 4);
            }
        }
    }
}

/// <summary>Y = X Wᵀ over quantized panels of 32.</summary>
internal unsafe struct QuantLinearBody<TTiles> : IParallelBody where TTiles : struct, IQuantTiles
{
    private const int BlocksInCache = 64;

    internal LinearArguments Arguments;

    public readonly void Invoke(int part)
    {
        Arguments.Part(part, out int first, out int panelEnd, out int tile, out int tileEnd);
        int blocks = (Arguments.K + DTypes.BlockLength - 1) / DTypes.BlockLength;
        int whole = Math.Min(panelEnd, Arguments.N / QuantPanels.Columns);
        int most = Arguments.Tiles == 1 ? blocks : BlocksInCache;
        for (int block = 0; block < blocks; block += most)
        {
            int depth = Math.Min(most, blocks - block);
            for (int panel = first; panel < whole; panel++)
            {
                byte* b = Arguments.Panels + (panel * Arguments.PanelBytes) + ((long)block * TTiles.BlockBytes);
                for (int t = tile; t < tileEnd; t++)
                {
                    int row = t * ActivationPacker.TileRows;
                    float* c = Arguments.Y + (row * Arguments.YStep) + ((long)panel * QuantPanels.Columns);
                    Tile(row, block, blocks, b, c, (nint)Arguments.YStep, depth);
                }
            }
        }

        if (whole < panelEnd)
        {
            Edge(whole, tile, tileEnd, blocks);
        }

        int rowEnd = Math.Min(tileEnd * ActivationPacker.TileRows, Arguments.M);
        Arguments.Finish(
            tile * ActivationPacker.TileRows, rowEnd, first * QuantPanels.Columns, Math.Min(panelEnd * QuantPanels.Columns, Arguments.N));
    }

    private readonly void Tile(int row, int block, int blocks, byte* b, float* c, nint ldc, int depth)
    {
        int rows = Math.Min(ActivationPacker.TileRows, Arguments.M - row);
        long at = ((long)row * blocks) + ((long)block * rows);
        TTiles.Tile(rows, (int*)Arguments.Packed + (16 * at), Arguments.Scales + at, Arguments.Sums + at, b, c, ldc, depth, block > 0);
    }

    private readonly void Edge(int panel, int tile, int tileEnd, int blocks)
    {
        float* buffer = stackalloc float[ActivationPacker.TileRows * QuantPanels.Columns];
        byte* b = Arguments.Panels + (panel * Arguments.PanelBytes);
        int columns = Arguments.N - (panel * QuantPanels.Columns);
        for (int t = tile; t < tileEnd; t++)
        {
            int row = t * ActivationPacker.TileRows;
            int rows = Math.Min(ActivationPacker.TileRows, Arguments.M - row);
            Tile(row, 0, blocks, b, buffer, QuantPanels.Columns, blocks);
            for (int i = 0; i < rows; i++)
            {
                float* c = Arguments.Y + ((row + i) * Arguments.YStep) + ((long)panel * QuantPanels.Columns);
                Buffer.MemoryCopy(buffer + (i * QuantPanels.Columns), c, columns * 4, columns * 4);
            }
        }
    }
}
