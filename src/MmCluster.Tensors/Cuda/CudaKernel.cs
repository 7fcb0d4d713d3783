using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Cuda;

/// <summary>A loaded kernel. Thread-safe.</summary>
internal sealed unsafe class CudaKernel
{
    private const int DefaultSharedBytes = 48 << 10; // more has to be asked for

    private readonly CudaContext _context;
    private readonly nint _function;
    private int _sharedBytes = DefaultSharedBytes;

    internal CudaKernel(CudaContext context, nint function, string name)
    {
        _context = context;
        _function = function;
        Name = name;
    }

    /// <summary>Its name in the source.</summary>
    internal string Name { get; }

    /// <summary>Registers a thread takes.</summary>
    internal int Registers => Attribute(FunctionAttribute.Registers);

    /// <summary>Bytes of local memory a thread takes: spilled registers.</summary>
    internal int LocalBytes => Attribute(FunctionAttribute.LocalBytes);

    /// <summary>Queues it. Allocates nothing.</summary>
    /// <param name="stream">Where.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="block">Threads a block.</param>
    /// <param name="sharedBytes">Dynamic shared memory a block.</param>
    /// <param name="arguments">The kernel's parameters in order, each of the C# type that fits.</param>
    internal void Launch(CudaStream stream, Dim3 grid, Dim3 block, int sharedBytes, params ReadOnlySpan<KernelArgument> arguments) =>
        Launch(stream, new LaunchShape(grid, block, sharedBytes), arguments);

    /// <inheritdoc cref="Launch(CudaStream, Dim3, Dim3, int, ReadOnlySpan{KernelArgument})"/>
    internal void Launch(CudaStream stream, in LaunchShape shape, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (shape.Grid.X == 0 || shape.Grid.Y == 0 || shape.Grid.Z == 0)
        {
            return; // nothing to do, which the driver calls an error
        }

        _context.Bind();
        if (shape.SharedBytes > _sharedBytes)
        {
            CudaCall.Check(CudaDriver.cuFuncSetAttribute(_function, FunctionAttribute.MaxDynamicSharedBytes, shape.SharedBytes));
            _sharedBytes = shape.SharedBytes;
        }

        LaunchAttribute* attributes = stackalloc LaunchAttribute[2];
        LaunchConfig config = default;
        (config.GridX, config.GridY, config.GridZ) = shape.Grid;
        (config.BlockX, config.BlockY, config.BlockZ) = shape.Block;
        config.SharedBytes = (uint)shape.SharedBytes;
        config.Stream = stream.Handle;
        config.Attributes = attributes;
        if (shape.Overlaps)
        {
            attributes[config.AttributeCount++] = new LaunchAttribute { Id = LaunchAttribute.ProgrammaticStreamSerialization, Value = 1 };
        }

        if (shape.Cluster.X > 1 || shape.Cluster.Y > 1)
        {
            (uint x, uint y, uint z) = shape.Cluster;
            attributes[config.AttributeCount++] = new LaunchAttribute { Id = LaunchAttribute.ClusterDimension, Value = x, ValueY = y, ValueZ = Math.Max(z, 1) };
        }

        // The driver wants an address for each argument. Numbers lie in 16-byte slots; being little endian, shorter ones are read from the front.
        void** addresses = stackalloc void*[arguments.Length];
        fixed (KernelArgument* first = arguments)
        {
            for (int i = 0; i < arguments.Length; i++)
            {
                addresses[i] = first[i].IsReference ? (void*)first[i].Value : &first[i].Value;
            }

            CudaResult result = CudaDriver.cuLaunchKernelEx(&config, _function, addresses, null);
            if (result != CudaResult.Success)
            {
                CudaCall.Check(result, $"launch of {Name}, grid {shape.Grid}, block {shape.Block}, {shape.SharedBytes} shared bytes,");
            }
        }
    }

    /// <summary>Blocks of this size that an SM holds at once.</summary>
    internal int BlocksAnSm(int threads, int sharedBytes)
    {
        _context.Bind();
        int blocks;
        CudaCall.Check(CudaDriver.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, _function, threads, (nuint)sharedBytes));
        return blocks;
    }

    private int Attribute(FunctionAttribute attribute)
    {
        _context.Bind();
        int value;
        CudaCall.Check(CudaDriver.cuFuncGetAttribute(&value, attribute, _function));
        return value;
    }
}
