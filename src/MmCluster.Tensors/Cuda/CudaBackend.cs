using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Cuda;

/// <summary>
/// A GPU's kernels behind <see cref="IBackend"/>. Work goes to the calling thread's stream and has not run when a method returns. Activations are F32,
/// F16 or BF16, sums F32. Index values are not read here: whoever fills a batch checks them.
/// </summary>
internal sealed unsafe partial class CudaBackend : IBackend
{
    private readonly CudaContext _context;
    private readonly int _blocks; // that fill the GPU
    private readonly HostUpload _upload;

    internal CudaBackend(CudaContext context)
    {
        _context = context;
        _blocks = context.Properties.Multiprocessors * 8;
        context.Kernels.Preload("elements", "rows", "indices", "linear", "attention", "rope", "pictures");
        _unary = new FloatKernels(context, "elements", "unary");
        _binary = new FloatKernels(context, "elements", "binary");
        _compare = new FloatKernels(context, "elements", "compare");
        _rmsNorm = new FloatKernels(context, "rows", "rms_norm");
        _layerNorm = new FloatKernels(context, "rows", "layer_norm");
        _softmax = new FloatKernels(context, "rows", "softmax");
        _reduce = new FloatKernels(context, "rows", "reduce");
        _attention = new PairKernels(context, "attention", "attention");
        _rope = new PairKernels(context, "rope", "rope");
        _product = new PairKernels(context, "linear", "product");
        _rowsOf = new PairKernels(context, "linear", "rows");
        _interpolate = new FloatKernels(context, "pictures", "interpolate");
        _biasActivation = new FloatKernels(context, "linear", "bias_activation");
        _matmul = new Matmul(context);
        _gemv = new Gemv(context);
        _norms = new RowNorms(context);
        _gates = new GatedActivations(context);
        _decode = new DecodeAttention(context);
        _flash = new FlashAttention(context);
        _ropeAppend = new RopeAppend(context);
        _upload = new HostUpload(context);
    }

    /// <summary>The GPU.</summary>
    internal CudaContext Context => _context;

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Setting it: a GPU's threads are its own.</exception>
    public int Threads
    {
        get => 1;
        set => throw new NotSupportedException($"cuda:{_context.Ordinal}: a GPU has no number of threads to set");
    }

    private CudaStream Stream => _context.Stream;

    public Storage Allocate(long bytes) => Storage.Of(_context.Allocator.Allocate(bytes), bytes);

    /// <summary>Zeros that live as long as a model does: KV blocks.</summary>
    public Storage AllocateZeroed(long bytes)
    {
        CudaBlock block = _context.Allocator.Allocate(bytes, keeps: true);
        CudaCall.Check(CudaDriver.cuMemsetD8Async(block.Address, 0, checked((nuint)bytes), Stream.Handle));
        return Storage.Of(block, bytes);
    }

    public void ReleaseCached()
    {
        if (!_context.Lost.IsCompleted)
        {
            _context.Allocator.ReleaseCached();
        }
    }

    public void Transfer(Tensor source, Tensor destination)
    {
        _context.Bind();
        nuint bytes = (nuint)source.Bytes;
        if (bytes == 0)
        {
            return;
        }

        if (source.Device.IsCpu && source.Bytes >= HostUpload.LeastBytes)
        {
            _upload.Copy(source.Data, (nint)destination.Data, source.Bytes, Stream);
        }
        else if (source.Device.IsCpu)
        {
            // Pageable memory: the driver has copied it when the call returns.
            CudaCall.Check(CudaDriver.cuMemcpyHtoDAsync_v2((nint)destination.Data, source.Data, bytes, Stream.Handle));
        }
        else if (destination.Device.IsCpu)
        {
            CudaCall.Check(CudaDriver.cuMemcpyDtoHAsync_v2(destination.Data, (nint)source.Data, bytes, Stream.Handle));
            Stream.Synchronize();
        }
        else
        {
            CudaContext other = CudaContext.Get(source.Device.Index);
            other.Stream.Synchronize(); // what made the source; pipelines have events for that
            _context.Bind();
            CudaCall.Check(CudaDriver.cuMemcpyPeerAsync(
                (nint)destination.Data, _context.Handle, (nint)source.Data, other.Handle, bytes, Stream.Handle));
            Stream.Synchronize();
        }
    }

    public void Fill(Tensor x, double value)
    {
        _context.Bind();
        nuint count = (nuint)x.ElementCount;
        if (count == 0)
        {
            return;
        }

        nint address = (nint)x.Data;
        nint stream = Stream.Handle;
        switch (x.DType)
        {
            case DType.F32:
                CudaCall.Check(CudaDriver.cuMemsetD32Async(address, BitConverter.SingleToUInt32Bits((float)value), count, stream));
                break;
            case DType.I32:
                CudaCall.Check(CudaDriver.cuMemsetD32Async(address, (uint)(int)value, count, stream));
                break;
            case DType.F16:
                CudaCall.Check(CudaDriver.cuMemsetD16Async(address, BitConverter.HalfToUInt16Bits((Half)value), count, stream));
                break;
            case DType.BF16:
                CudaCall.Check(CudaDriver.cuMemsetD16Async(address, BFloat16.Round((float)value), count, stream));
                break;
            case DType.I64:
                _context.Kernels["elements", "fill_i64"].Launch(Stream, Grid(x.ElementCount), Threads256, 0, x, x.ElementCount, (long)value);
                break;
            case DType.U8:
                CudaCall.Check(CudaDriver.cuMemsetD8Async(address, (byte)value, count, stream));
                break;
            default:
                CudaCall.Check(CudaDriver.cuMemsetD8Async(address, value != 0 ? (byte)1 : (byte)0, count, stream));
                break;
        }
    }

    private const int Threads256 = 256;

    // Enough blocks for a loop over so many elements, each thread taking several where there are many.
    private Dim3 Grid(long count) => Math.Min((count + Threads256 - 1) / Threads256, _blocks);
}

/// <summary>One kernel for each float type: NAME_f32, NAME_f16, NAME_bf16.</summary>
internal sealed class FloatKernels(CudaContext context, string module, string name)
{
    private CudaKernel? _f32;
    private CudaKernel? _f16;
    private CudaKernel? _bf16;

    internal CudaKernel this[DType dtype] => dtype switch
    {
        DType.F32 => _f32 ??= context.Kernels[module, $"{name}_f32"],
        DType.F16 => _f16 ??= context.Kernels[module, $"{name}_f16"],
        DType.BF16 => _bf16 ??= context.Kernels[module, $"{name}_bf16"],
        _ => throw new NotSupportedException($"cuda: {name} is not there for {dtype}"),
    };

    /// <summary>The name of a type in kernels' names.</summary>
    internal static string Name(DType dtype) => dtype switch
    {
        DType.F32 => "f32",
        DType.F16 => "f16",
        DType.BF16 => "bf16",
        DType.Q8_0 => "q8_0",
        DType.Q4_0 => "q4_0",
        DType.F8E4M3 => "f8",
        _ => throw new NotSupportedException($"cuda: no kernels for {dtype}"),
    };
}

/// <summary>Kernels for two types at once, NAME_a_b, looked up once.</summary>
internal sealed class PairKernels(CudaContext context, string module, string name)
{
    private readonly CudaKernel?[] _known = new CudaKernel?[Types * Types];
    private const int Types = 16;

    internal CudaKernel this[DType a, DType b] =>
        _known[((int)a * Types) + (int)b] ??= context.Kernels[module, $"{name}_{FloatKernels.Name(a)}_{FloatKernels.Name(b)}"];
}
