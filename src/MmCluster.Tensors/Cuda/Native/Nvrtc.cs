using System.Runtime.InteropServices;

namespace MmCluster.Tensors.Cuda.Native;

/// <summary>The run-time compiler, one to one. Its results are codes of its own.</summary>
internal static unsafe partial class Nvrtc
{
    internal const string Library = "nvrtc";

    [LibraryImport(Library)]
    internal static partial NvrtcResult nvrtcVersion(int* major, int* minor);

    [LibraryImport(Library)]
    internal static partial byte* nvrtcGetErrorString(NvrtcResult result);

    [LibraryImport(Library)]
    internal static partial NvrtcResult nvrtcCreateProgram(nint* program, byte* source, byte* name, int headerCount, byte** headers, byte** includeNames);

    [LibraryImport(Library)]
    internal static partial NvrtcResult nvrtcDestroyProgram(nint* program);

    [LibraryImport(Library)]
    internal static partial NvrtcResult nvrtcCompileProgram(nint program, int optionCount, byte** options);

    [LibraryImport(Library)]
    internal static partial NvrtcResult nvrtcGetProgramLogSize(nint program, nuint* bytes);

    [LibraryImport(Library)]
    internal static partial NvrtcResult nvrtcGetProgramLog(nint program, byte* log);

    [LibraryImport(Library)]
    internal static partial NvrtcResult nvrtcGetCUBINSize(nint program, nuint* bytes);

    [LibraryImport(Library)]
    internal static partial NvrtcResult nvrtcGetCUBIN(nint program, byte* cubin);
}

/// <summary>nvrtcResult</summary>
internal enum NvrtcResult
{
    Success = 0,
    Compilation = 6,
}
