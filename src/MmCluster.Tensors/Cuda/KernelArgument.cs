namespace MmCluster.Tensors.Cuda;

/// <summary>
/// One parameter of a kernel: an address or a number of 4 or 8 bytes, or a structure that the driver copies at the launch. Mind the C# type:
/// an <c>int</c> parameter takes an <c>int</c>, a <c>long long</c> a <c>long</c>, a <c>float</c> a <c>float</c>.
/// </summary>
internal readonly unsafe struct KernelArgument
{
    internal readonly ulong Value;
    internal readonly bool IsReference;

    private KernelArgument(ulong value, bool isReference = false)
    {
        Value = value;
        IsReference = isReference;
    }

    /// <summary>A structure (a strided loop, a tensor map as <c>__grid_constant__</c>); it must stay where it is until Launch returns.</summary>
    internal static KernelArgument In<T>(T* structure) where T : unmanaged => new((ulong)structure, isReference: true);

    /// <summary>Address of a tensor's first element; 0 for none.</summary>
    public static implicit operator KernelArgument(Tensor? tensor) => new(tensor is null ? 0 : (ulong)tensor.Data);

    public static implicit operator KernelArgument(nint address) => new((ulong)address);

    public static implicit operator KernelArgument(void* address) => new((ulong)address);

    public static implicit operator KernelArgument(int value) => new((uint)value);

    public static implicit operator KernelArgument(uint value) => new(value);

    public static implicit operator KernelArgument(long value) => new((ulong)value);

    public static implicit operator KernelArgument(ulong value) => new(value);

    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value));

    public static implicit operator KernelArgument(bool value) => new(value ? 1u : 0u);
}

/// <summary>Blocks of a grid, threads of a block.</summary>
internal readonly record struct Dim3(uint X, uint Y = 1, uint Z = 1)
{
    /// <summary>Checked: a negative size is a bug.</summary>
    public static implicit operator Dim3(int x) => new(checked((uint)x));

    /// <summary>Checked: a grid has at most 2^31 - 1 blocks along x.</summary>
    public static implicit operator Dim3(long x) => new(checked((uint)(int)x));

    public static implicit operator Dim3((int X, int Y) size) => new(checked((uint)size.X), checked((uint)size.Y));

    public static implicit operator Dim3((int X, int Y, int Z) size) => new(checked((uint)size.X), checked((uint)size.Y), checked((uint)size.Z));
}

/// <summary>How a kernel is launched.</summary>
/// <param name="Grid">Blocks.</param>
/// <param name="Block">Threads a block.</param>
/// <param name="SharedBytes">Dynamic shared memory a block.</param>
internal readonly record struct LaunchShape(Dim3 Grid, Dim3 Block, int SharedBytes = 0)
{
    /// <summary>
    /// Programmatic dependent launch: the kernel may start before the one in front of it has ended and must call <c>griddepcontrol.wait</c> before it
    /// reads anything but constants.
    /// </summary>
    internal bool Overlaps { get; init; }

    /// <summary>Blocks a cluster; none when default.</summary>
    internal Dim3 Cluster { get; init; }
}
