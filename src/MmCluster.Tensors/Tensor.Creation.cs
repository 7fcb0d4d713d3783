using System.Runtime.InteropServices;

namespace MmCluster.Tensors;

// Making tensors and reading them back.
public sealed unsafe partial class Tensor
{
    /// <summary>A tensor whose elements are whatever the memory held.</summary>
    /// <param name="shape">Its dimensions.</param>
    /// <param name="dtype">Its element type; for a block format the last dimension is a multiple of 32.</param>
    /// <param name="device">Where; the processor when null.</param>
    /// <exception cref="ArgumentException">The shape does not fit the block format.</exception>
    public static Tensor Empty(Shape shape, DType dtype = DType.F32, Device? device = null)
    {
        if (dtype.IsQuantized() && (shape.Rank == 0 || shape[^1] % DTypes.BlockLength != 0))
        {
            throw new ArgumentException($"empty: {dtype} needs a last dimension in multiples of {DTypes.BlockLength}, got {shape}");
        }

        device ??= Device.Cpu;
        Storage storage = device.Backend.Allocate(dtype.Bytes(shape.ElementCount));
        return Create(storage, shape, Strides.RowMajor(shape), 0, dtype, device);
    }

    /// <summary>A tensor of zeros (false for Bool).</summary>
    public static Tensor Zeros(Shape shape, DType dtype = DType.F32, Device? device = null)
    {
        Tensor tensor = Empty(shape, dtype, device);
        tensor.Device.Backend.Fill(tensor, 0);
        return tensor;
    }

    /// <summary>A tensor of ones.</summary>
    public static Tensor Ones(Shape shape, DType dtype = DType.F32, Device? device = null) => Full(shape, 1, dtype, device);

    /// <summary>A tensor of one value, converted to the element type.</summary>
    /// <exception cref="ArgumentException">A block format.</exception>
    public static Tensor Full(Shape shape, double value, DType dtype = DType.F32, Device? device = null)
    {
        if (dtype.IsQuantized())
        {
            throw new ArgumentException($"full: {dtype} is a weight format");
        }

        Tensor tensor = Empty(shape, dtype, device);
        tensor.Device.Backend.Fill(tensor, value);
        return tensor;
    }

    /// <summary>start, start + step, … in I64, I32 or F32; <paramref name="count"/> of them.</summary>
    /// <exception cref="ArgumentException">Another element type.</exception>
    public static Tensor Arange(int count, double start = 0, double step = 1, DType dtype = DType.I64)
    {
        Tensor tensor = Empty([count], dtype);
        for (int i = 0; i < count; i++)
        {
            double value = start + (i * step);
            switch (dtype)
            {
                case DType.F32: ((float*)tensor.Data)[i] = (float)value; break;
                case DType.I64: ((long*)tensor.Data)[i] = (long)value; break;
                case DType.I32: ((int*)tensor.Data)[i] = (int)value; break;
                default: throw new ArgumentException($"arange: {dtype}, expected F32, I64 or I32");
            }
        }

        return tensor;
    }

    /// <summary>A tensor of one value, without dimensions.</summary>
    public static Tensor Scalar(float value) => Full([], value);

    /// <summary>Copies values in row-major order: float, Half, long, int, byte, bool, or ushort for BF16's bits.</summary>
    /// <exception cref="ArgumentException">The count differs from the shape's, or no element type stores the C# type.</exception>
    public static Tensor From<T>(ReadOnlySpan<T> values, Shape shape, Device? device = null) where T : unmanaged
    {
        if (values.Length != shape.ElementCount)
        {
            throw new ArgumentException($"from: {shape} has {shape.ElementCount} elements, got {values.Length} values");
        }

        Tensor tensor = Empty(shape, DTypes.Of<T>());
        values.CopyTo(new Span<T>(tensor.Data, values.Length));
        if (device is null || device.IsCpu)
        {
            return tensor;
        }

        using (tensor)
        {
            return tensor.To(device);
        }
    }

    /// <inheritdoc cref="From{T}(ReadOnlySpan{T}, Shape, Device?)"/>
    public static Tensor From<T>(T[] values, Shape shape, Device? device = null) where T : unmanaged =>
        From((ReadOnlySpan<T>)values, shape, device);

    /// <summary>A vector of these values.</summary>
    public static Tensor Of<T>(params ReadOnlySpan<T> values) where T : unmanaged => From(values, [values.Length]);

    /// <summary>
    /// A tensor over memory of somebody else, row-major, such as a region of a mapped file; nothing is copied. <paramref name="owner"/> stays
    /// reachable as long as a view of the memory does and is never disposed by it; whoever unmaps the memory earlier breaks the views.
    /// </summary>
    /// <param name="address">First byte; old safetensors files do not align their data, so it may be odd.</param>
    /// <param name="bytes">Bytes that may be read from there on.</param>
    /// <param name="shape">Its dimensions.</param>
    /// <param name="dtype">Its element type; block formats hold GGUF's blocks, row after row.</param>
    /// <param name="owner">Keeps the memory valid.</param>
    /// <param name="readOnly">Whether writing through the tensor is refused.</param>
    /// <exception cref="ArgumentException">The region is too small.</exception>
    public static Tensor FromMemory(nint address, long bytes, Shape shape, DType dtype, object owner, bool readOnly = true)
    {
        ArgumentNullException.ThrowIfNull(owner);
        long needed = dtype.Bytes(shape.ElementCount);
        if (needed > bytes)
        {
            throw new ArgumentException($"from memory: {dtype} {shape} takes {needed} bytes, got a region of {bytes}");
        }

        Storage storage = Storage.Over((void*)address, needed, owner, readOnly);
        return Create(storage, shape, Strides.RowMajor(shape), 0, dtype, Device.Cpu);
    }

    /// <summary>A dense view of a part of somebody's memory, kept alive with it.</summary>
    internal static Tensor Over(Storage storage, long offset, Shape shape, DType dtype, Device device)
    {
        storage.Retain();
        return Create(storage, shape, Strides.RowMajor(shape), offset, dtype, device);
    }

    /// <summary>The elements in row-major order, without a copy. Valid as long as the tensor is.</summary>
    /// <typeparam name="T">float, Half, long, int, byte (also Bool), bool, or ushort for BF16's bits.</typeparam>
    /// <exception cref="ArgumentException">Another element type, not contiguous, read-only, or over 2^31 elements.</exception>
    public Span<T> AsSpan<T>() where T : unmanaged
    {
        if (IsReadOnly)
        {
            throw new ArgumentException("as span: the memory is read-only; use AsReadOnlySpan or Clone");
        }

        ReadOnlySpan<T> span = AsReadOnlySpan<T>();
        return MemoryMarshal.CreateSpan(ref MemoryMarshal.GetReference(span), span.Length);
    }

    /// <summary>The elements in row-major order, for reading.</summary>
    /// <exception cref="ArgumentException">Another element type, not contiguous, or over 2^31 elements.</exception>
    public ReadOnlySpan<T> AsReadOnlySpan<T>() where T : unmanaged
    {
        ThrowIfDisposed();
        CheckType<T>();
        if (!IsContiguous || !Device.IsCpu)
        {
            throw new ArgumentException($"as span: {this} is not contiguous memory of the processor; use Contiguous() or ToArray()");
        }

        if (ElementCount > int.MaxValue)
        {
            throw new ArgumentException($"as span: {this} is longer than a span can be; slice it");
        }

        return new ReadOnlySpan<T>(Data, (int)ElementCount);
    }

    /// <summary>Row <paramref name="row"/> of a contiguous matrix.</summary>
    /// <exception cref="ArgumentException">Not a contiguous matrix of that type, or no such row.</exception>
    public Span<T> Row<T>(int row) where T : unmanaged
    {
        if (Rank != 2 || (uint)row >= (uint)_shape[0])
        {
            throw new ArgumentException($"row: {this} has no row {row}");
        }

        if (!IsContiguous || IsReadOnly || !Device.IsCpu)
        {
            throw new ArgumentException($"row: {this} is not contiguous, read-only or not on the processor");
        }

        CheckType<T>();
        return new Span<T>((T*)Data + ((long)row * _shape[1]), _shape[1]);
    }

    /// <summary>A copy of the elements in row-major order; on a GPU it waits for what the thread's stream was asked to do.</summary>
    /// <exception cref="ArgumentException">Another element type.</exception>
    public T[] ToArray<T>() where T : unmanaged
    {
        CheckType<T>();
        if (IsContiguous && Device.IsCpu)
        {
            return AsReadOnlySpan<T>().ToArray();
        }

        using Tensor copy = Device.IsCpu ? this.Clone() : this.To(Device.Cpu);
        return copy.AsReadOnlySpan<T>().ToArray();
    }

    /// <summary>The only element.</summary>
    /// <exception cref="ArgumentException">Not one element, or another type.</exception>
    public T Item<T>() where T : unmanaged
    {
        CheckType<T>();
        return ElementCount == 1 ? (Device.IsCpu ? *(T*)Data : ToArray<T>()[0]) : throw new ArgumentException($"item: expected one element, got {_shape}");
    }

    private void CheckType<T>() where T : unmanaged
    {
        DType asked = DTypes.Of<T>();
        if (asked != DType && !(DType == DType.Bool && asked == DType.U8))
        {
            throw WrongType<T>(DType);
        }
    }
}
