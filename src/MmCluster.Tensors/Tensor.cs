using System.Runtime.CompilerServices;

namespace MmCluster.Tensors;

/// <summary>
/// A strided view of native memory on one device. Views share memory; it goes back with the last of them. Made inside a
/// <see cref="TensorScope"/> it is disposed with the scope, otherwise by the caller. Not thread-safe; reading from several threads is.
/// </summary>
public sealed unsafe partial class Tensor : IDisposable
{
    private Storage? _storage;
    private long _offset;
    private Strides _strides;
    private Shape _shape;

    internal Tensor()
    {
    }

    /// <summary>Its dimensions.</summary>
    public Shape Shape => _shape;

    /// <summary>Number of dimensions.</summary>
    public int Rank => _shape.Rank;

    /// <summary>Its element type.</summary>
    public DType DType { get; private set; }

    /// <summary>Where its memory is.</summary>
    public Device Device { get; private set; } = Device.Cpu;

    /// <summary>Number of elements.</summary>
    public long ElementCount => _shape.ElementCount;

    /// <summary>Whether the elements lie densely in row-major order.</summary>
    public bool IsContiguous { get; private set; }

    /// <summary>Whether its memory has been given back.</summary>
    public bool IsDisposed => _storage is null;

    /// <summary>Whether it stands over memory that must not be written, such as a mapped file.</summary>
    public bool IsReadOnly => Memory.IsReadOnly;

    internal ScopeStack.Frame? Owner { get; set; }

    internal int OwnerIndex { get; set; }

    /// <summary>The first element's address.</summary>
    internal byte* Data => Memory.Address + (_offset * ElementBytes);

    /// <summary>The device's block under it; null on the processor.</summary>
    internal DeviceMemory? Block => Memory.Block;

    private Storage Memory => _storage ?? throw new ObjectDisposedException(
        nameof(Tensor), "tensor: used after it was disposed or its scope ended; hand it out with scope.Keep");

    private int ElementBytes => DType.IsQuantized() ? 0 : DType.Size(); // a quantized tensor is whole, its offset is 0

    /// <summary>Dimension <paramref name="axis"/>, counted from the end when negative.</summary>
    public int Size(int axis) => _shape[_shape.Axis(axis)];

    /// <summary>Elements to skip a step along an axis, counted from the end when negative; 0 where the axis repeats.</summary>
    public long Stride(int axis) => _strides[_shape.Axis(axis)];

    /// <summary>Gives the memory back unless other views hold it. Safe to call twice.</summary>
    public void Dispose()
    {
        if (_storage is not { } storage)
        {
            return;
        }

        _storage = null;
        storage.Release();
        if (Owner is { Recycles: false } owner && owner.Stack == ScopeStack.Current)
        {
            ScopeStack.Forget(this);
        }
    }

    /// <summary>F32 [2, 3] on cpu</summary>
    public override string ToString() => $"{DType} {_shape} on {Device}";

    internal void ThrowIfDisposed() => _ = Memory;

    /// <summary>Typed address of the first element, for kernels.</summary>
    internal T* Pointer<T>() where T : unmanaged
    {
        System.Diagnostics.Debug.Assert(sizeof(T) == ElementBytes, "a kernel reads another element size");
        return (T*)Data;
    }

    internal Strides StridesCopy() => _strides;

    /// <summary>Another view of the same memory.</summary>
    internal Tensor View(in Shape shape, in Strides strides, long offset) => View(shape, strides, offset, DType);

    internal Tensor View(in Shape shape, in Strides strides, long offset, DType dtype)
    {
        Storage storage = Memory;
        storage.Retain();
        return Create(storage, shape, strides, offset, dtype, Device);
    }

    internal long Offset => _offset;

    internal bool SharesMemoryWith(Tensor other) => Memory == other.Memory;

    private static Tensor Create(Storage storage, in Shape shape, in Strides strides, long offset, DType dtype, Device device)
    {
        Tensor tensor = ScopeStack.Current.Take();
        tensor._storage = storage;
        tensor._shape = shape;
        tensor._strides = strides;
        tensor._offset = offset;
        tensor.DType = dtype;
        tensor.Device = device;
        tensor.IsContiguous = strides.AreRowMajor(shape);
        return tensor;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ArgumentException WrongType<T>(DType dtype) =>
        new($"tensor: holds {dtype}, asked for {typeof(T).Name}");
}
