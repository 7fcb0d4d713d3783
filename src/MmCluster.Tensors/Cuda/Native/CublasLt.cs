using System.Runtime.InteropServices;

namespace MmCluster.Tensors.Cuda.Native;

/// <summary>cuBLASLt, one to one: what matrix products need.</summary>
internal static unsafe partial class CublasLt
{
    internal const string Library = "cublasLt";

    [LibraryImport(Library)]
    internal static partial nuint cublasLtGetVersion();

    [LibraryImport(Library)]
    internal static partial CublasResult cublasLtCreate(nint* handle);

    [LibraryImport(Library)]
    internal static partial CublasResult cublasLtMatmulDescCreate(nint* description, CublasCompute compute, CudaDataType scale);

    [LibraryImport(Library)]
    internal static partial CublasResult cublasLtMatmulDescDestroy(nint description);

    [LibraryImport(Library)]
    internal static partial CublasResult cublasLtMatmulDescSetAttribute(nint description, MatmulAttribute attribute, void* value, nuint bytes);

    [LibraryImport(Library)]
    internal static partial CublasResult cublasLtMatrixLayoutCreate(nint* layout, CudaDataType type, ulong rows, ulong columns, long leadingDimension);

    [LibraryImport(Library)]
    internal static partial CublasResult cublasLtMatrixLayoutDestroy(nint layout);

    [LibraryImport(Library)]
    internal static partial CublasResult cublasLtMatmulPreferenceCreate(nint* preference);

    [LibraryImport(Library)]
    internal static partial CublasResult cublasLtMatmulPreferenceDestroy(nint preference);

    [LibraryImport(Library)]
    internal static partial CublasResult cublasLtMatmulPreferenceSetAttribute(nint preference, PreferenceAttribute attribute, void* value, nuint bytes);

    [LibraryImport(Library)]
    internal static partial CublasResult cublasLtMatmulAlgoGetHeuristic(
        nint handle, nint description, nint a, nint b, nint c, nint d, nint preference, int requested, MatmulHeuristic* results, int* found);

    [LibraryImport(Library)]
    internal static partial CublasResult cublasLtMatmulAlgoCheck(
        nint handle, nint description, nint a, nint b, nint c, nint d, MatmulHeuristic* algorithm, MatmulHeuristic* result);

    [LibraryImport(Library)]
    internal static partial CublasResult cublasLtMatmul(
        nint handle, nint description, void* alpha, nint aData, nint a, nint bData, nint b, void* beta, nint cData, nint c, nint dData, nint d,
        MatmulHeuristic* algorithm, nint workspace, nuint workspaceBytes, nint stream);
}

/// <summary>cublasStatus_t</summary>
internal enum CublasResult
{
    Success = 0,
    NotInitialized = 1,
    AllocationFailed = 3,
    InvalidValue = 7,
    ArchitectureMismatch = 8,
    MappingError = 11,
    ExecutionFailed = 13,
    InternalError = 14,
    NotSupported = 15,
}

/// <summary>cublasComputeType_t</summary>
internal enum CublasCompute
{
    F32 = 68, // CUBLAS_COMPUTE_32F: no TF32
}

/// <summary>cudaDataType_t</summary>
internal enum CudaDataType
{
    F32 = 0,
    F16 = 2,
    BF16 = 14,
    F8E4M3 = 28,
}

/// <summary>cublasLtMatmulDescAttributes_t</summary>
internal enum MatmulAttribute
{
    TransposeA = 3,
    TransposeB = 4,
    Epilogue = 7,
    BiasPointer = 8,
}

/// <summary>cublasLtMatmulPreferenceAttributes_t</summary>
internal enum PreferenceAttribute
{
    MaxWorkspaceBytes = 1,
    MinAlignmentA = 5,
    MinAlignmentD = 8,
}

/// <summary>cublasLtMatmulHeuristicResult_t, 96 bytes. The algorithm is its first 64, so its address serves as the algorithm's.</summary>
[StructLayout(LayoutKind.Sequential, Size = 96)]
internal unsafe struct MatmulHeuristic
{
    internal fixed ulong Algorithm[8];
    internal nuint WorkspaceBytes;
    internal CublasResult State;
    internal float Waves;
    private fixed int _reserved[4];
}
