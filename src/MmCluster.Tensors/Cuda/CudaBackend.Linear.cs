namespace MmCluster.Tensors.Cuda;

// Products with weights.
internal sealed unsafe partial class CudaBackend
{
    private const int RowsAProduct = 8; // linear.cu's MB
    private const int FewRows = 16; // up to here block formats are multiplied as they are
    private const long TileBytes = 64L << 20; // of a matrix turned into floats at a time

    private readonly FloatKernels _biasActivation;
    private readonly PairKernels _product;
    private readonly PairKernels _rowsOf;
    private readonly Matmul _matmul;

    public IDisposable Pack(ReadOnlySpan<Tensor> sources, int rows, int columns, DType dtype)
    {
        var matrix = new CudaMatrix(_context, rows, columns, dtype);
        Device device = Device.Cuda(_context.Ordinal);
        int first = 0;
        foreach (Tensor source in sources)
        {
            if (source.ElementCount > 0)
            {
                Pack(source, matrix, first, device);
            }

            first += source.Shape[0];
        }

        Stream.Synchronize(); // other streams will read it
        return matrix;
    }

    public long Bytes(IDisposable weight) => ((CudaMatrix)weight).Bytes;

    public void Linear(Tensor x, IDisposable weight, Tensor? bias, Activation activation, Tensor y)
    {
        var w = (CudaMatrix)weight;
        if (y.ElementCount == 0)
        {
            return;
        }

        if (TryGemv(x, w, new GemvOptions { Bias = bias, Activation = activation }, y)
            || (bias is not null && activation == Activation.None && TryBiasedProduct(x, w, bias, y, adds: false)))
        {
            return;
        }

        if (!TryMultiply(x, w, y, adds: false))
        {
            Direct(x, w, bias, activation, y);
        }
        else if (bias is not null || activation != Activation.None)
        {
            Finish(y, bias, activation);
        }
    }

    public void LinearAdd(Tensor x, IDisposable weight, Tensor? bias, Tensor residual)
    {
        var w = (CudaMatrix)weight;
        if (residual.ElementCount == 0)
        {
            return;
        }

        if (TryGemv(x, w, new GemvOptions { Bias = bias, Adds = true }, residual)
            || (bias is not null && TryBiasedProduct(x, w, bias, residual, adds: true)))
        {
            return;
        }

        if ((residual.DType == w.DType || residual.DType == DType.F32 || !w.DType.IsFloat()) && TryMultiply(x, w, residual, adds: true))
        {
            if (bias is not null)
            {
                Finish(residual, bias, Activation.None);
            }

            return;
        }

        using Tensor y = Tensor.Empty(residual.Shape, residual.DType, residual.Device);
        Linear(x, weight, bias, Activation.None, y);
        Binary(BinaryOperation.Add, residual, y, residual);
    }

    public void Gather(IDisposable weight, Tensor ids, Tensor y) => RowsOf((CudaMatrix)weight, ids, 0, y, ids.ElementCount);

    // y = activation(y + bias)
    private void Finish(Tensor y, Tensor? bias, Activation activation)
    {
        if (!_gates.TryBiased(y, bias, activation, y))
        {
            int columns = y.Shape[^1];
            long rows = y.ElementCount / columns;
            _biasActivation[y.DType].Launch(Stream, RowGrid(columns, rows), Threads256, 0, y, RowStep(y), bias, (int)activation, columns, rows);
        }
    }

    // x Wᵀ + bias by cuBLASLt in one launch.
    private bool TryBiasedProduct(Tensor x, CudaMatrix w, Tensor bias, Tensor y, bool adds)
    {
        if (x.DType != w.DType || y.DType != w.DType || w.Columns == 0 || w.HalfBias(bias) is not (not 0 and var copy))
        {
            return false;
        }

        int rows = (int)(y.ElementCount / w.Rows);
        var shape = new MatmulShape(rows, w.Rows, w.Columns, RowStep(x), RowStep(y), w.DType, y.DType, adds, Biased: true);
        return _matmul.TryRun(shape, (nint)x.Data, w.Values, (nint)y.Data, copy);
    }

    // x Wᵀ by cuBLASLt; false where few rows meet a block format, or it knows no algorithm.
    private bool TryMultiply(Tensor x, CudaMatrix w, Tensor y, bool adds)
    {
        int rows = (int)(y.ElementCount / w.Rows);
        if (w.Columns == 0 || (!w.DType.IsFloat() && rows <= FewRows && !_context.Deterministic))
        {
            return false;
        }

        if (!w.DType.IsFloat())
        {
            return TryMultiplyTiles(x, w, y, rows, adds);
        }

        if (x.DType == DType.F32 && w.DType != DType.F32)
        {
            return TryMultiplyWide(x, w, y, adds);
        }

        using Tensor same = x.To(w.DType);
        if (y.DType == w.DType || y.DType == DType.F32)
        {
            return _matmul.TryRun(new MatmulShape(rows, w.Rows, w.Columns, RowStep(same), RowStep(y), w.DType, y.DType, adds), (nint)same.Data, w.Values, (nint)y.Data);
        }

        using Tensor wide = Tensor.Empty(y.Shape, DType.F32, y.Device);
        if (!_matmul.TryRun(new MatmulShape(rows, w.Rows, w.Columns, RowStep(same), w.Rows, w.DType, DType.F32, adds), (nint)same.Data, w.Values, (nint)wide.Data))
        {
            return false;
        }

        Copy(wide, y);
        return true;
    }

    // F32 rows keep their precision against a matrix of 16 bits: they are cut in two terms of its type, x = high + low.
    private bool TryMultiplyWide(Tensor x, CudaMatrix w, Tensor y, bool adds)
    {
        using Tensor high = x.To(w.DType);
        using Tensor rounded = high.To(DType.F32);
        using Tensor rest = Tensor.Empty(x.Shape, DType.F32, x.Device);
        Binary(BinaryOperation.Sub, x, rounded, rest);
        using Tensor low = rest.To(w.DType);
        int rows = (int)(y.ElementCount / w.Rows);
        var shape = new MatmulShape(rows, w.Rows, w.Columns, RowStep(high), RowStep(y), w.DType, DType.F32, adds);
        return _matmul.TryRun(shape, (nint)high.Data, w.Values, (nint)y.Data)
            && _matmul.TryRun(shape with { XStep = RowStep(low), Adds = true }, (nint)low.Data, w.Values, (nint)y.Data);
    }

    // A matrix in blocks becomes floats of x's type, some of its rows at a time.
    private bool TryMultiplyTiles(Tensor x, CudaMatrix w, Tensor y, int rows, bool adds)
    {
        int size = x.DType.Size();
        int most = (int)Math.Min(Math.Max(TileBytes / ((long)w.Columns * size) / 64 * 64, 64), w.Rows);
        using Tensor tile = Tensor.Empty([most, w.Columns], x.DType, x.Device);
        for (int first = 0; first < w.Rows; first += most)
        {
            int count = Math.Min(most, w.Rows - first);
            RowsOf(w, null, first, tile, count);
            var shape = new MatmulShape(rows, count, w.Columns, RowStep(x), rows == 1 ? w.Rows : RowStep(y), x.DType, y.DType, adds);
            if (!_matmul.TryRun(shape, (nint)x.Data, (nint)tile.Data, (nint)y.Data + ((nint)first * y.DType.Size())))
            {
                return false;
            }
        }

        return true;
    }

    private void Direct(Tensor x, CudaMatrix w, Tensor? bias, Activation activation, Tensor y)
    {
        int rows = (int)(y.ElementCount / w.Rows);
        const int Outputs = Threads256 / 32;
        _product[x.DType, w.DType].Launch(
            Stream, ((w.Rows + Outputs - 1) / Outputs, (rows + RowsAProduct - 1) / RowsAProduct), Threads256, 0, x, RowStep(x), w.Values, w.Scales,
            w.Stored, bias, (int)activation, y, RowStep(y), y.DType == DType.F32 ? 1 : 0, rows, w.Rows, w.Columns);
    }

    private void RowsOf(CudaMatrix w, Tensor? ids, long first, Tensor y, long count) => _rowsOf[y.DType, w.DType].Launch(
        Stream, count == 0 ? 0 : RowGrid(w.Columns, count), Threads256, 0, w.Values, w.Scales, w.Stored, ids, ids?.DType == DType.I64 ? 1 : 0, first,
        y, w.Columns, count);

    private void Pack(Tensor source, CudaMatrix matrix, int first, Device device)
    {
        int rows = source.Shape[0];
        if (matrix.DType.IsQuantized())
        {
            using Tensor near = source.To(Device.Cpu);
            (Tensor values, Tensor scales) = BlockSplitter.Split(near, matrix.DType, matrix.Stored);
            using (values)
            using (scales)
            using (Tensor target = matrix.ValueRows(first, rows, values.Shape[1], DType.U8, device))
            using (Tensor scaleTarget = matrix.ScaleRows(first, rows, scales.Shape[1], DType.F16, device))
            {
                target.CopyFrom(values);
                scaleTarget.CopyFrom(scales);
            }

            return;
        }

        using Tensor floats = source.DType.IsQuantized() ? source.To(DType.F32) : source.To(source.DType);
        if (matrix.DType == DType.F8E4M3)
        {
            using Tensor there = floats.To(device);
            using Tensor wide = there.To(DType.F32);
            using Tensor dense = wide.Contiguous();
            _context.Kernels["linear", "pack_f8"].Launch(
                Stream, rows, Threads256, 0, dense, matrix.Values + ((nint)first * matrix.Stored), matrix.Scales + (first * sizeof(float)), matrix.Columns,
                matrix.Stored);
            return;
        }

        using Tensor place = matrix.ValueRows(first, rows, matrix.Columns, matrix.DType, device);
        place.CopyFrom(floats);
    }
}
