using MmCluster.Tensors.Cpu.Linear;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu;

// Products with packed weights.
internal sealed unsafe partial class CpuBackend
{
    public IDisposable Pack(ReadOnlySpan<Tensor> sources, int rows, int columns, DType dtype)
    {
        var matrix = new PackedMatrix(rows, columns, dtype);
        if (matrix.Panels > 0)
        {
            WeightPacker.Pack(sources, matrix, _pool);
        }

        return matrix;
    }

    public void Linear(Tensor x, IDisposable weight, Tensor? bias, Activation activation, Tensor y)
    {
        var matrix = (PackedMatrix)weight;
        LinearArguments arguments = default;
        arguments.N = matrix.Rows;
        arguments.K = matrix.Columns;
        arguments.M = matrix.Rows == 0 ? 0 : (int)(y.ElementCount / matrix.Rows);
        if (arguments.M == 0)
        {
            return;
        }

        arguments.X = x.Pointer<float>();
        arguments.XStep = RowStep(x);
        arguments.Y = y.Pointer<float>();
        arguments.YStep = RowStep(y);
        arguments.Panels = matrix.Panel(0);
        arguments.PanelBytes = matrix.PanelBytes;
        arguments.PanelCount = matrix.Panels;
        arguments.Bias = bias is null ? null : bias.Pointer<float>();
        arguments.Activation = activation;
        Run(matrix.DType, ref arguments);
    }

    public void Gather(IDisposable weight, Tensor ids, Tensor y) => WeightUnpacker.Gather((PackedMatrix)weight, ids, y);

    public long Bytes(IDisposable weight) => ((PackedMatrix)weight).Bytes;

    private void Run(DType dtype, ref LinearArguments arguments)
    {
        if (arguments.K == 0)
        {
            for (int row = 0; row < arguments.M; row++)
            {
                new Span<float>(arguments.Y + (row * arguments.YStep), arguments.N).Clear();
            }

            arguments.Finish(0, arguments.M, 0, arguments.N);
            return;
        }

        bool few = arguments.Tiles == 1; // memory bound: small parts, so that the threads end together
        arguments.Split(_pool.Threads, dtype.IsQuantized() ? (few ? 8 : 16) : few ? 2 : 8);
        if (dtype.IsQuantized())
        {
            RunQuantized(dtype, ref arguments);
            return;
        }

        Storage? packed = null;
        if (arguments.M == 1)
        {
            arguments.Packed = arguments.X;
        }
        else
        {
            packed = Storage.Allocate((long)arguments.M * arguments.K * sizeof(float));
            arguments.Packed = (float*)packed.Address;
            var interleave = new InterleaveBody { Arguments = arguments };
            _pool.Run(arguments.Tiles, ref interleave);
        }

        if (dtype == DType.F32)
        {
            RunFloat<F32Panel>(ref arguments);
        }
        else
        {
            RunFloat<BF16Panel>(ref arguments);
        }

        packed?.Release();
    }

    private void RunFloat<TPanel>(ref LinearArguments arguments) where TPanel : unmanaged, IFloatPanel
    {
        if (SimdLevel.Has512)
        {
            RunFloatTiles<FloatTiles512<TPanel>>(ref arguments);
        }
        else if (SimdLevel.Has256)
        {
            RunFloatTiles<FloatTilesNarrow<TPanel, Vec256>>(ref arguments);
        }
        else
        {
            RunFloatTiles<FloatTilesNarrow<TPanel, Vec128>>(ref arguments);
        }
    }

    private void RunFloatTiles<TTiles>(ref LinearArguments arguments) where TTiles : unmanaged, IFloatTiles
    {
        var body = new FloatLinearBody<TTiles> { Arguments = arguments };
        _pool.Run(arguments.ColumnParts * arguments.RowParts, ref body);
    }

    private void RunQuantized(DType dtype, ref LinearArguments arguments)
    {
        long blocks = (arguments.K + DTypes.BlockLength - 1) / DTypes.BlockLength;
        long cells = arguments.M * blocks;
        Storage packed = Storage.Allocate(cells * 72);
        arguments.Packed = (float*)packed.Address;
        arguments.Scales = (float*)(packed.Address + (cells * 64));
        arguments.Sums = (int*)(packed.Address + (cells * 68));
        var quantize = new QuantizeBody { Arguments = arguments };
        _pool.Run(arguments.M, ref quantize);
        switch (dtype)
        {
            case DType.Q8_0 when SimdLevel.Has512: RunQuantTiles<Q8Tiles512>(ref arguments); break;
            case DType.Q8_0 when SimdLevel.Has256: RunQuantTiles<QuantTiles256<Q8Format>>(ref arguments); break;
            case DType.Q8_0: RunQuantTiles<QuantTilesPortable<Q8Format>>(ref arguments); break;
            case DType.Q4_0 when SimdLevel.Has512: RunQuantTiles<Q4Tiles512>(ref arguments); break;
            case DType.Q4_0 when SimdLevel.Has256: RunQuantTiles<QuantTiles256<Q4Format>>(ref arguments); break;
            default: RunQuantTiles<QuantTilesPortable<Q4Format>>(ref arguments); break;
        }

        packed.Release();
    }

    private void RunQuantTiles<TTiles>(ref LinearArguments arguments) where TTiles : unmanaged, IQuantTiles
    {
        var body = new QuantLinearBody<TTiles> { Arguments = arguments };
        _pool.Run(arguments.ColumnParts * arguments.RowParts, ref body);
    }

    // Elements between rows; the rows are even.
    private static long RowStep(Tensor x)
    {
        for (int axis = x.Rank - 2; axis >= 0; axis--)
        {
            if (x.Shape[axis] != 1)
            {
                return x.Stride(axis);
            }
        }

        return x.Shape[^1];
    }
}
