using System.Runtime.InteropServices;

namespace MmCluster.Tensors.Cuda.Native;

/// <summary>The driver's calls about memory that processes share, one to one.</summary>
internal static unsafe partial class CudaMemory
{
    private const string Library = CudaDriver.Library;

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemGetAllocationGranularity(nuint* granularity, AllocationProperties* properties, int option);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemCreate(ulong* handle, nuint bytes, AllocationProperties* properties, ulong flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemRelease(ulong handle);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemExportToShareableHandle(void* shareable, ulong handle, int type, ulong flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemImportFromShareableHandle(ulong* handle, nint shareable, int type);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemAddressReserve(nint* address, nuint bytes, nuint alignment, nint wanted, ulong flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemAddressFree(nint address, nuint bytes);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemMap(nint address, nuint bytes, nuint offset, ulong handle, ulong flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemUnmap(nint address, nuint bytes);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemSetAccess(nint address, nuint bytes, AccessDescription* access, nuint count);
}

/// <summary>CUmemAllocationProp, 32 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct AllocationProperties
{
    internal const int Pinned = 1;
    internal const int FileDescriptor = 1;
    internal const int OnDevice = 1;

    internal int Type;
    internal int HandleTypes;
    internal int LocationType;
    internal int Location;
    internal void* Windows;
    internal ulong Flags;
}

/// <summary>CUmemAccessDesc, 12 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AccessDescription
{
    internal const int Read = 1;
    internal const int ReadWrite = 3;

    internal int LocationType;
    internal int Location;
    internal int Flags;
}
