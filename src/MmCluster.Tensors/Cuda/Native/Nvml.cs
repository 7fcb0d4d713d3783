using System.Runtime.InteropServices;

namespace MmCluster.Tensors.Cuda.Native;

/// <summary>NVIDIA's management library, one to one: it tells how much of a GPU is free without a context, which would take some itself.</summary>
internal static unsafe partial class Nvml
{
    internal const string Library = "nvidia-ml";

    internal const int Success = 0;

    [LibraryImport(Library)]
    internal static partial int nvmlInit_v2();

    [LibraryImport(Library)]
    internal static partial int nvmlDeviceGetHandleByUUID(byte* uuid, nint* device);

    [LibraryImport(Library)]
    internal static partial int nvmlDeviceGetMemoryInfo(nint device, NvmlMemory* memory);
}

/// <summary>nvmlMemory_t</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NvmlMemory
{
    internal ulong Total;
    internal ulong Free;
    internal ulong Used;
}
