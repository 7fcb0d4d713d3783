using System.Runtime.InteropServices;

namespace MmCluster.Tensors.Cuda.Native;

/// <summary>The CUDA driver API, one to one. Device addresses are <c>nint</c>, so are handles.</summary>
internal static unsafe partial class CudaDriver
{
    internal const string Library = "cuda";

    [LibraryImport(Library)]
    internal static partial CudaResult cuInit(uint flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDriverGetVersion(int* version);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGetErrorName(CudaResult error, byte** name);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGetErrorString(CudaResult error, byte** text);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDeviceGetCount(int* count);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDeviceGet(int* device, int ordinal);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDeviceGetAttribute(int* value, DeviceAttribute attribute, int device);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDeviceGetUuid_v2(byte* uuid, int device);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDeviceTotalMem_v2(nuint* bytes, int device);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDeviceCanAccessPeer(int* can, int device, int peer);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDevicePrimaryCtxRetain(nint* context, int device);

    [LibraryImport(Library)]
    internal static partial CudaResult cuCtxSetCurrent(nint context);

    [LibraryImport(Library)]
    internal static partial CudaResult cuCtxSynchronize();

    [LibraryImport(Library)]
    internal static partial CudaResult cuCtxEnablePeerAccess(nint peer, uint flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemGetInfo_v2(nuint* free, nuint* total);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemAlloc_v2(nint* address, nuint bytes);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemFree_v2(nint address);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemHostAlloc(void** address, nuint bytes, uint flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemFreeHost(void* address);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemcpyHtoDAsync_v2(nint target, void* source, nuint bytes, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemcpyDtoHAsync_v2(void* target, nint source, nuint bytes, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemcpyDtoDAsync_v2(nint target, nint source, nuint bytes, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemcpyAsync(nint target, nint source, nuint bytes, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemcpyPeerAsync(nint target, nint targetContext, nint source, nint sourceContext, nuint bytes, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemsetD8Async(nint target, byte value, nuint count, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemsetD16Async(nint target, ushort value, nuint count, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemsetD32Async(nint target, uint value, nuint count, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuStreamCreateWithPriority(nint* stream, uint flags, int priority);

    [LibraryImport(Library)]
    internal static partial CudaResult cuStreamDestroy_v2(nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuStreamSynchronize(nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuStreamQuery(nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuStreamWaitEvent(nint stream, nint @event, uint flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuStreamBeginCapture_v2(nint stream, CaptureMode mode);

    [LibraryImport(Library)]
    internal static partial CudaResult cuStreamEndCapture(nint stream, nint* graph);

    [LibraryImport(Library)]
    internal static partial CudaResult cuStreamIsCapturing(nint stream, int* status);

    [LibraryImport(Library)]
    internal static partial CudaResult cuThreadExchangeStreamCaptureMode(CaptureMode* mode);

    [LibraryImport(Library)]
    internal static partial CudaResult cuEventCreate(nint* @event, uint flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuEventDestroy_v2(nint @event);

    [LibraryImport(Library)]
    internal static partial CudaResult cuEventRecord(nint @event, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuEventSynchronize(nint @event);

    [LibraryImport(Library)]
    internal static partial CudaResult cuEventQuery(nint @event);

    [LibraryImport(Library)]
    internal static partial CudaResult cuEventElapsedTime_v2(float* milliseconds, nint start, nint end);

    [LibraryImport(Library)]
    internal static partial CudaResult cuModuleLoadData(nint* module, void* image);

    [LibraryImport(Library)]
    internal static partial CudaResult cuModuleUnload(nint module);

    [LibraryImport(Library)]
    internal static partial CudaResult cuModuleGetFunction(nint* function, nint module, byte* name);

    [LibraryImport(Library)]
    internal static partial CudaResult cuFuncGetAttribute(int* value, FunctionAttribute attribute, nint function);

    [LibraryImport(Library)]
    internal static partial CudaResult cuFuncSetAttribute(nint function, FunctionAttribute attribute, int value);

    [LibraryImport(Library)]
    internal static partial CudaResult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, nint function, int blockSize, nuint sharedBytes);

    [LibraryImport(Library)]
    internal static partial CudaResult cuLaunchKernelEx(LaunchConfig* config, nint function, void** arguments, void** extra);

    [LibraryImport(Library)]
    internal static partial CudaResult cuTensorMapEncodeTiled(
        void* map, int dtype, uint rank, nint address, ulong* dimensions, ulong* strides, uint* box, uint* elementStrides,
        int interleave, int swizzle, int promotion, int outOfBounds);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGraphInstantiateWithFlags(nint* instance, nint graph, ulong flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGraphGetNodes(nint graph, nint* nodes, nuint* count);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGraphLaunch(nint instance, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGraphUpload(nint instance, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGraphExecDestroy(nint instance);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGraphDestroy(nint graph);
}

/// <summary>CUdevice_attribute</summary>
internal enum DeviceAttribute
{
    WarpSize = 10,
    ClockRate = 13,
    MultiprocessorCount = 16,
    MemoryClockRate = 36,
    MemoryBusWidth = 37,
    L2CacheSize = 38,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    SharedBytesPerMultiprocessor = 81,
    SharedBytesPerBlockOptin = 97,
}

/// <summary>CUfunction_attribute</summary>
internal enum FunctionAttribute
{
    SharedBytes = 1,
    LocalBytes = 3,
    Registers = 4,
    MaxDynamicSharedBytes = 8,
    PreferredSharedCarveout = 9,
}

/// <summary>CUstreamCaptureMode</summary>
internal enum CaptureMode
{
    Global = 0,
    ThreadLocal = 1,
    Relaxed = 2,
}

/// <summary>CUlaunchConfig, 56 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LaunchConfig
{
    internal uint GridX, GridY, GridZ;
    internal uint BlockX, BlockY, BlockZ;
    internal uint SharedBytes;
    private readonly uint _padding;
    internal nint Stream;
    internal LaunchAttribute* Attributes;
    internal uint AttributeCount;
    private readonly uint _end;
}

/// <summary>CUlaunchAttribute, 72 bytes: an id, then a union at 8.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct LaunchAttribute
{
    internal const int ClusterDimension = 4;
    internal const int ProgrammaticStreamSerialization = 6;

    [FieldOffset(0)]
    internal int Id;

    [FieldOffset(8)]
    internal uint Value;

    [FieldOffset(12)]
    internal uint ValueY;

    [FieldOffset(16)]
    internal uint ValueZ;
}
