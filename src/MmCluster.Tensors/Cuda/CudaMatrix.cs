using MmCluster.Tensors.Cpu;

namespace MmCluster.Tensors.Cuda;

/// <summary>
/// A weight matrix [N, K] on a GPU. Floats lie row by row as in a checkpoint. Block formats have values and scales apart: Q8_0 [N, K] signed
/// bytes, Q4_0 [N, K / 2] bytes (value j of a block low, j + 16 high), scales F16 [N, K / 32]. F8E4M3 is [N, K] bytes and F32 [N]. All three have K filled
/// up with zeros to whole chunks of 64 bytes, which gemv.cu reads at once.
/// </summary>
internal sealed unsafe class CudaMatrix : IDisposable
{
    private const int ChunkBytes = 64;

    private readonly CudaContext _context;
    private readonly Lock _gate = new();
    private readonly Storage _values;
    private readonly Storage? _scales;
    private HalfBiasCopy? _halfBias;
    private bool _disposed;

    internal CudaMatrix(CudaContext context, int rows, int columns, DType dtype)
    {
        _context = context;
        Rows = rows;
        Columns = columns;
        DType = dtype;
        int chunk = dtype switch
        {
            DType.Q4_0 => 2 * ChunkBytes,
            DType.Q8_0 or DType.F8E4M3 => ChunkBytes,
            _ => 1,
        };
        Stored = (columns + chunk - 1) / chunk * chunk;
        (long values, long scales) = dtype switch
        {
            DType.F32 => (4L * Stored, 0L),
            DType.F16 or DType.BF16 => (2L * Stored, 0L),
            DType.Q8_0 => (Stored, Stored / 16),
            DType.Q4_0 => (Stored / 2, Stored / 16),
            DType.F8E4M3 when context.Properties.Major >= 9 || context.Properties is { Major: 8, Minor: 9 } => (Stored, 4L),
            DType.F8E4M3 => throw new NotSupportedException($"linear weight: {context.Properties.Name} has no F8E4M3, Ada and Hopper do"),
            _ => throw new NotSupportedException($"linear weight: {dtype} is not a packed format; known: F32, F16, BF16, F8E4M3, Q8_0, Q4_0"),
        };
        Bytes = checked((values + scales) * rows);
        _values = Keep(context, values * rows);
        _scales = scales > 0 ? Keep(context, scales * rows) : null;
    }

    /// <summary>N, the outputs.</summary>
    internal int Rows { get; }

    /// <summary>K, the inputs.</summary>
    internal int Columns { get; }

    /// <summary>K as it is stored.</summary>
    internal int Stored { get; }

    /// <summary>How the values are stored.</summary>
    internal DType DType { get; }

    /// <summary>What it takes.</summary>
    internal long Bytes { get; }

    /// <summary>First value.</summary>
    internal nint Values
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return (nint)_values.Address;
        }
    }

    /// <summary>First scale; 0 for floats.</summary>
    internal nint Scales => _scales is null ? 0 : (nint)_scales.Address;

    /// <summary>Rows of values as a tensor of <paramref name="dtype"/> and <paramref name="width"/> elements a row.</summary>
    internal Tensor ValueRows(int first, int count, int width, DType dtype, Device device) => Tensor.Over(_values, (long)first * width, [count, width], dtype, device);

    /// <summary>Rows of scales likewise.</summary>
    internal Tensor ScaleRows(int first, int count, int width, DType dtype, Device device) => Tensor.Over(_scales!, (long)first * width, [count, width], dtype, device);

    /// <summary>
    /// Address of the bias rounded to the matrix's 16 bits, which is how cuBLASLt adds it in a product's epilogue: made when the matrix first meets its bias, and kept
    /// with it. 0 where there is none to keep: the bias is a scope's (a temporary) or not the matrix's first, or its copy is not there yet and the stream records.
    /// </summary>
    internal nint HalfBias(Tensor bias)
    {
        if (bias.Owner is not null || !HalfRows.IsHalf(DType))
        {
            return 0;
        }

        if (_halfBias is null && _context.Stream.CapturePool is null)
        {
            lock (_gate)
            {
                _halfBias ??= Round(bias);
            }
        }

        return _halfBias is { } known && known.Bias == bias ? (nint)known.Values.Address : 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _values.Release();
            _scales?.Release();
            _halfBias?.Values.Release();
        }
    }

    private HalfBiasCopy Round(Tensor bias)
    {
        Storage copy = Keep(_context, DType.Bytes(bias.ElementCount));
        using (Tensor target = Tensor.Over(copy, 0, bias.Shape, DType, bias.Device))
        {
            target.CopyFrom(bias);
        }

        _context.Stream.Synchronize(); // other streams will read it
        return new HalfBiasCopy(bias, copy);
    }

    private static Storage Keep(CudaContext context, long bytes) => Storage.Of(context.Allocator.Allocate(bytes, keeps: true), bytes);

    private sealed record HalfBiasCopy(Tensor Bias, Storage Values);
}

/// <summary>Makes blocks on the processor and lays them out as a GPU reads them.</summary>
internal static unsafe class BlockSplitter
{
    /// <summary>
    /// Rows of any float or block format as values [rows, bytes] and scales [rows, blocks], on the processor; blocks past the source's are zeros.
    /// </summary>
    internal static (Tensor Values, Tensor Scales) Split(Tensor source, DType dtype, int stored)
    {
        int rows = source.Shape[0];
        int blocks = stored / DTypes.BlockLength;
        int payload = dtype.BlockBytes() - sizeof(ushort);
        Tensor values = Tensor.Empty([rows, blocks * payload], DType.U8);
        Tensor scales = Tensor.Empty([rows, blocks], DType.F16);
        Parallel.For(0, rows, row => Row(source, dtype, stored, row, values.Data + ((long)row * blocks * payload), (ushort*)scales.Data + ((long)row * blocks)));
        return (values, scales);
    }

    private static void Row(Tensor source, DType dtype, int stored, int row, byte* values, ushort* scales)
    {
        int size = dtype.BlockBytes();
        int blocks = stored / DTypes.BlockLength;
        int given = (source.Shape[1] + DTypes.BlockLength - 1) / DTypes.BlockLength;
        byte[] packed = [];
        byte* from = source.Data + (source.DType.IsQuantized() ? row * source.DType.Bytes(source.Shape[1]) : row * source.Stride(0) * source.DType.Size());
        if (source.DType != dtype)
        {
            packed = new byte[given * size];
            float[] wide = new float[given * DTypes.BlockLength];
            fixed (float* target = wide)
            fixed (byte* made = packed)
            {
                if (source.DType.IsQuantized())
                {
                    Quantization.Dequantize(source.DType, from, target, source.Shape[1]);
                }
                else
                {
                    CopyKernels.Widen(source.DType, from, source.Stride(1), target, source.Shape[1]);
                }

                Quantization.Quantize(dtype, target, made, wide.Length);
            }
        }

        fixed (byte* made = packed)
        {
            byte* block = packed.Length > 0 ? made : from;
            for (int i = 0; i < given; i++, block += size, values += size - sizeof(ushort))
            {
                scales[i] = *(ushort*)block;
                Buffer.MemoryCopy(block + sizeof(ushort), values, size - sizeof(ushort), size - sizeof(ushort));
            }

            new Span<ushort>(scales + given, blocks - given).Clear();
            new Span<byte>(values, (blocks - given) * (size - sizeof(ushort))).Clear();
        }
    }
}
