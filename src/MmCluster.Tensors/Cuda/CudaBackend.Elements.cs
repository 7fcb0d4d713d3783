using MmCluster.Tensors.Cpu;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Cuda;

// Elementwise operations, copies and conversions.
internal sealed unsafe partial class CudaBackend
{
    private readonly FloatKernels _unary;
    private readonly FloatKernels _binary;
    private readonly FloatKernels _compare;

    public void Unary(UnaryOperation operation, Tensor x, Tensor y, float a, float b)
    {
        StridedLoop loop = StridedLoop.Over(y.Shape, x, y);
        bool four = loop.TryWiden(4, x, y);
        long count = loop.Count;
        _unary[x.DType].Launch(Stream, Grid(count), Threads256, 0, (int)operation, x, y, KernelArgument.In(&loop), count, four ? 1 : 0, a, b);
    }

    public void Binary(BinaryOperation operation, Tensor x, Tensor y, Tensor z)
    {
        StridedLoop loop = StridedLoop.Over(z.Shape, x, y, z);
        bool compares = operation >= BinaryOperation.Equal;
        if (!x.DType.IsFloat())
        {
            long whole = loop.Count;
            _context.Kernels["elements", "binary_integer"].Launch(
                Stream, Grid(whole), Threads256, 0, (int)operation, (int)x.DType, x, y, z, KernelArgument.In(&loop), whole);
            return;
        }

        if (compares)
        {
            long places = loop.Count;
            _compare[x.DType].Launch(Stream, Grid(places), Threads256, 0, (int)operation, x, y, z, KernelArgument.In(&loop), places);
            return;
        }

        bool four = loop.TryWiden(4, x, y, z);
        long count = loop.Count;
        _binary[x.DType].Launch(Stream, Grid(count), Threads256, 0, (int)operation, x, y, z, KernelArgument.In(&loop), count, four ? 1 : 0);
    }

    public void Where(Tensor condition, Tensor x, Tensor y, Tensor z)
    {
        StridedLoop loop = StridedLoop.Over(z.Shape, condition, x, y, z);
        long count = loop.Count;
        _context.Kernels["elements", "where"].Launch(
            Stream, Grid(count), Threads256, 0, z.DType.Size(), condition, x, y, z, KernelArgument.In(&loop), count);
    }

    public void Copy(Tensor source, Tensor destination)
    {
        if (source.DType.IsQuantized() || destination.DType.IsQuantized())
        {
            throw new NotSupportedException($"cuda: {source.DType} to {destination.DType}; block formats are kept in packed weights only");
        }

        if (source.DType == destination.DType && source.IsContiguous && destination.IsContiguous)
        {
            if (source.ElementCount > 0)
            {
                _context.Bind();
                CudaCall.Check(CudaDriver.cuMemcpyDtoDAsync_v2((nint)destination.Data, (nint)source.Data, (nuint)source.Bytes, Stream.Handle));
            }

            return;
        }

        StridedLoop loop = StridedLoop.Over(destination.Shape, source, destination);
        if (source.DType != destination.DType)
        {
            long values = loop.Count;
            _context.Kernels["elements", "convert"].Launch(
                Stream, Grid(values), Threads256, 0, (int)source.DType, source, (int)destination.DType, destination, KernelArgument.In(&loop), values);
            return;
        }

        int size = source.DType.Size();
        if (loop.TryWiden(16 / size, source, destination))
        {
            size = 16;
        }

        long count = loop.Count;
        _context.Kernels["elements", "copy"].Launch(Stream, Grid(count), Threads256, 0, size, source, destination, KernelArgument.In(&loop), count);
    }
}
