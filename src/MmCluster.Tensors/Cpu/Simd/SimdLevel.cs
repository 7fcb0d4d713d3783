using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MmCluster.Tensors.Cpu.Simd;

/// <summary>Which vectors this machine has; constants for the compiler. DOTNET_EnableAVX512=0 and DOTNET_EnableAVX2=0 lower it.</summary>
internal static class SimdLevel
{
    internal static bool Has512 => Vector512.IsHardwareAccelerated && Avx512F.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported;

    internal static bool Has256 => Avx2.IsSupported && Fma.IsSupported;
}
