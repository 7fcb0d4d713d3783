using System.Runtime.InteropServices;

namespace MmCluster.Tensors.Cuda.Native;

/// <summary>NCCL, one to one: sums and gathers over GPUs.</summary>
internal static unsafe partial class Nccl
{
    internal const string Library = "nccl";

    [LibraryImport(Library)]
    internal static partial NcclResult ncclCommInitAll(nint* communicators, int count, int* devices);

    [LibraryImport(Library)]
    internal static partial NcclResult ncclCommDestroy(nint communicator);

    [LibraryImport(Library)]
    internal static partial NcclResult ncclCommAbort(nint communicator);

    [LibraryImport(Library)]
    internal static partial NcclResult ncclCommGetAsyncError(nint communicator, NcclResult* error);

    [LibraryImport(Library)]
    internal static partial NcclResult ncclAllReduce(
        nint source, nint target, nuint count, NcclDataType type, NcclOperation operation, nint communicator, nint stream);

    [LibraryImport(Library)]
    internal static partial NcclResult ncclAllGather(nint source, nint target, nuint count, NcclDataType type, nint communicator, nint stream);

    [LibraryImport(Library)]
    internal static partial byte* ncclGetErrorString(NcclResult result);

    [LibraryImport(Library)]
    internal static partial byte* ncclGetLastError(nint communicator);

    // What .NET sets for a process its native libraries do not see.
    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int setenv(string name, string value, int overwrite);
}

/// <summary>ncclResult_t</summary>
internal enum NcclResult
{
    Success = 0,
    InProgress = 7,
}

/// <summary>ncclDataType_t</summary>
internal enum NcclDataType
{
    F16 = 6,
    F32 = 7,
    BF16 = 9,
}

/// <summary>ncclRedOp_t</summary>
internal enum NcclOperation
{
    Sum = 0,
}
