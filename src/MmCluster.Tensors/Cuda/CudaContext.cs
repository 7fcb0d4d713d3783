using System.Collections.Concurrent;
using System.Text;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Cuda;

/// <summary>
/// One GPU: its retained primary context, memory, kernels and streams. One a device and process, made at first use, never given back. Each thread
/// that issues work has a current stream: the one it chose with <see cref="Use"/>, else the device's <see cref="DefaultStream"/>, so that threads
/// which choose none are ordered among each other.
/// </summary>
internal sealed unsafe class CudaContext
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<int, CudaContext> Contexts = [];

    [ThreadStatic]
    private static CudaContext? _bound; // whose context is current on this thread

    [ThreadStatic]
    private static CudaStream? _stream;

    private readonly ConcurrentDictionary<int, bool> _peers = [];
    private readonly TaskCompletionSource<Exception> _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private CudaContext(int ordinal)
    {
        Ordinal = ordinal;
        int device;
        CudaCall.Check(CudaDriver.cuDeviceGet(&device, ordinal));
        DeviceHandle = device;
        Properties = CudaProperties.Of(device);
        nint context;
        CudaCall.Check(CudaDriver.cuDevicePrimaryCtxRetain(&context, device));
        Handle = context;
        Bind();
        DefaultStream = new CudaStream(this);
        Allocator = new CudaAllocator(this);
        Kernels = new CudaKernels(this);
    }

    /// <summary>Which GPU, as CUDA_VISIBLE_DEVICES counts them.</summary>
    internal int Ordinal { get; }

    /// <summary>CUdevice</summary>
    internal int DeviceHandle { get; }

    /// <summary>CUcontext</summary>
    internal nint Handle { get; }

    /// <summary>
    /// Whether, in the work of the calling thread's stream, a row's result must not depend on the rows beside it: one algorithm for each weight whatever the number
    /// of rows. Of a stream, not of the GPU: models of one process may differ.
    /// </summary>
    internal bool Deterministic
    {
        get => Stream.Deterministic;
        set => Stream.Deterministic = value;
    }

    /// <summary>
    /// Completes with the reason when an error has made the context useless: every call fails from then on, whoever makes it, until the process starts anew.
    /// </summary>
    internal Task<Exception> Lost => _lost.Task;

    /// <summary>What the GPU is.</summary>
    internal CudaProperties Properties { get; }

    /// <summary>Where work of threads goes that have not chosen a stream.</summary>
    internal CudaStream DefaultStream { get; }

    /// <summary>Its memory.</summary>
    internal CudaAllocator Allocator { get; }

    /// <summary>Its kernels.</summary>
    internal CudaKernels Kernels { get; }

    /// <summary>The stream of the calling thread on this device.</summary>
    internal CudaStream Stream => _stream is { } stream && stream.Context == this ? stream : DefaultStream;

    /// <summary>How many GPUs the process sees; 0 without a driver.</summary>
    internal static int Count
    {
        get
        {
            if (!CudaLibraries.Has(CudaDriver.Library) || CudaDriver.cuInit(0) != CudaResult.Success)
            {
                return 0;
            }

            int count;
            CudaCall.Check(CudaDriver.cuDeviceGetCount(&count));
            return count;
        }
    }

    /// <summary>The context of a GPU.</summary>
    /// <exception cref="NotSupportedException">There is no such GPU, or a library or its driver is missing.</exception>
    internal static CudaContext Get(int ordinal)
    {
        lock (Gate)
        {
            if (Contexts.TryGetValue(ordinal, out CudaContext? known))
            {
                return known;
            }

            foreach (string library in new[] { CudaDriver.Library, Nvrtc.Library, CublasLt.Library })
            {
                if (!CudaLibraries.Has(library))
                {
                    throw new NotSupportedException(CudaLibraries.Missing(library));
                }
            }

            CudaResult result = CudaDriver.cuInit(0);
            if (result is CudaResult.NoDevice or CudaResult.InvalidDevice || ordinal >= Count)
            {
                throw new NotSupportedException($"device: 'cuda:{ordinal}' is not available; GPUs of this process: {Count}");
            }

            CudaCall.Check(result, "cuInit(0)");
            return Contexts[ordinal] = new CudaContext(ordinal);
        }
    }

    /// <summary>Bytes of a GPU that nobody has taken; null before this process has a context there: asking would make one.</summary>
    internal static long? TryFreeBytes(int ordinal)
    {
        CudaContext? context;
        lock (Gate)
        {
            Contexts.TryGetValue(ordinal, out context);
        }

        return context is null || context.Lost.IsCompleted ? null : context.Memory().Free;
    }

    /// <summary>The context that the calling thread works on is lost.</summary>
    internal static void LoseCurrent(CudaException reason) => _bound?._lost.TrySetResult(reason);

    /// <summary>Makes the context current on the calling thread; every method here that calls the driver does.</summary>
    internal void Bind()
    {
        if (_bound != this)
        {
            CudaCall.Check(CudaDriver.cuCtxSetCurrent(Handle));
            _bound = this;
        }
    }

    /// <summary>A library has perhaps made another context current on the calling thread.</summary>
    internal static void ForgetBinding() => _bound = null;

    /// <summary>Sends the calling thread's work to <paramref name="stream"/> until the result is disposed.</summary>
    internal StreamScope Use(CudaStream stream)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(stream.Context, this);
        Bind();
        var scope = new StreamScope(_stream);
        _stream = stream;
        return scope;
    }

    /// <summary>Bytes of the GPU that nobody has taken, and all of its bytes.</summary>
    internal (long Free, long Total) Memory()
    {
        Bind();
        nuint free, total;
        CudaCall.Check(CudaDriver.cuMemGetInfo_v2(&free, &total));
        return ((long)free, (long)total);
    }

    /// <summary>
    /// Held while a graph is recorded and while somebody waits for all streams: the driver refuses the one during the other, and the recording is lost. Two models may be
    /// loaded at once. Not to be taken under the allocator's lock.
    /// </summary>
    internal Lock Recording { get; } = new();

    /// <summary>Waits for all work of all streams, and for graphs that are being recorded.</summary>
    internal void Synchronize()
    {
        lock (Recording)
        {
            Bind();
            CudaCall.Check(CudaDriver.cuCtxSynchronize());
        }
    }

    /// <summary>Lets kernels and copies of this GPU reach the memory of another one directly; false where the machine cannot.</summary>
    internal bool EnablePeer(CudaContext other)
    {
        int can;
        CudaCall.Check(CudaDriver.cuDeviceCanAccessPeer(&can, DeviceHandle, other.DeviceHandle));
        if (can == 0)
        {
            return false;
        }

        Bind();
        const CudaResult AlreadyEnabled = (CudaResult)704;
        CudaResult result = CudaDriver.cuCtxEnablePeerAccess(other.Handle, 0);
        if (result != AlreadyEnabled)
        {
            CudaCall.Check(result, "cuCtxEnablePeerAccess");
        }

        return true;
    }

    /// <summary>
    /// Queues a copy of dense elements from another GPU of this process, directly where the machine can. What made them must be done; neither GPU waits.
    /// </summary>
    internal void CopyFromPeer(Tensor source, Tensor target, CudaStream stream)
    {
        CudaContext other = Get(source.Device.Index);
        if (_peers.TryAdd(other.Ordinal, true))
        {
            EnablePeer(other);
        }

        Bind();
        CudaCall.Check(CudaDriver.cuMemcpyPeerAsync((nint)target.Data, Handle, (nint)source.Data, other.Handle, (nuint)source.Bytes, stream.Handle));
    }

    /// <summary>Gives the thread its former stream back.</summary>
    internal readonly ref struct StreamScope(CudaStream? former)
    {
        public void Dispose() => _stream = former;
    }
}

/// <summary>What a GPU is.</summary>
/// <param name="Name">As the driver calls it.</param>
/// <param name="Major">Compute capability.</param>
/// <param name="Minor">Compute capability.</param>
/// <param name="Multiprocessors">SMs.</param>
/// <param name="TotalBytes">Its memory.</param>
/// <param name="CacheBytes">Its second-level cache.</param>
/// <param name="SharedBytes">Shared memory that one block may ask for.</param>
internal sealed record CudaProperties(string Name, int Major, int Minor, int Multiprocessors, long TotalBytes, int CacheBytes, int SharedBytes)
{
    /// <summary>What kernels are compiled for: sm_80, sm_90a (with what only this one architecture has), …</summary>
    internal string Architecture => Major >= 9 ? $"sm_{Major}{Minor}a" : $"sm_{Major}{Minor}";

    /// <summary>Whether it has tensor memory copies, warp-group products and FP8.</summary>
    internal bool IsHopperOrNewer => Major >= 9;

    /// <summary>Reads them from the driver.</summary>
    /// <exception cref="NotSupportedException">Older than Ampere.</exception>
    internal static unsafe CudaProperties Of(int device)
    {
        byte* name = stackalloc byte[256];
        CudaCall.Check(CudaDriver.cuDeviceGetName(name, 256, device));
        nuint bytes;
        CudaCall.Check(CudaDriver.cuDeviceTotalMem_v2(&bytes, device));
        var properties = new CudaProperties(
            Encoding.UTF8.GetString(new ReadOnlySpan<byte>(name, new ReadOnlySpan<byte>(name, 256).IndexOf((byte)0))),
            Attribute(DeviceAttribute.ComputeCapabilityMajor), Attribute(DeviceAttribute.ComputeCapabilityMinor),
            Attribute(DeviceAttribute.MultiprocessorCount), (long)bytes, Attribute(DeviceAttribute.L2CacheSize),
            Attribute(DeviceAttribute.SharedBytesPerBlockOptin));
        return properties.Major >= 8
            ? properties
            : throw new NotSupportedException($"cuda: {properties.Name} has compute capability {properties.Major}.{properties.Minor}, at least 8.0 is needed");

        int Attribute(DeviceAttribute attribute)
        {
            int value;
            CudaCall.Check(CudaDriver.cuDeviceGetAttribute(&value, attribute, device));
            return value;
        }
    }
}
