using System.Globalization;
using System.Text;
using MmCluster.Tensors.Cuda;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors;

/// <summary>
/// A GPU that this process may use, as the driver describes it. Looking takes none of its memory: no context is made, no kernel compiled. Numbers are those of
/// <see cref="Device.Cuda"/>: <c>CUDA_VISIBLE_DEVICES</c> chooses and orders.
/// </summary>
/// <param name="Index">Its number in this process.</param>
/// <param name="Name">As the driver calls it.</param>
/// <param name="Uuid">What names it in every process of the machine: GPU-… or MIG-….</param>
/// <param name="Major">Compute capability.</param>
/// <param name="Minor">Compute capability.</param>
/// <param name="TotalBytes">Its memory.</param>
public sealed record GpuInfo(int Index, string Name, string Uuid, int Major, int Minor, long TotalBytes)
{
    private const int LeastMajor = 8;

    /// <summary>cuda:1</summary>
    public string Device => string.Create(CultureInfo.InvariantCulture, $"cuda:{Index}");

    /// <summary>Such as 9.0.</summary>
    public string ComputeCapability => string.Create(CultureInfo.InvariantCulture, $"{Major}.{Minor}");

    /// <summary>Whether our kernels run on it: Ampere and newer.</summary>
    public bool IsUsable => Major >= LeastMajor;

    /// <summary>The GPUs of this process, in order; none without a driver.</summary>
    public static unsafe IReadOnlyList<GpuInfo> List()
    {
        GpuInfo[] gpus = new GpuInfo[CudaContext.Count];
        byte* name = stackalloc byte[256];
        Span<byte> uuid = stackalloc byte[16];
        for (int i = 0; i < gpus.Length; i++)
        {
            int device, major, minor;
            nuint bytes;
            CudaCall.Check(CudaDriver.cuDeviceGet(&device, i));
            CudaCall.Check(CudaDriver.cuDeviceGetName(name, 256, device));
            CudaCall.Check(CudaDriver.cuDeviceTotalMem_v2(&bytes, device));
            CudaCall.Check(CudaDriver.cuDeviceGetAttribute(&major, DeviceAttribute.ComputeCapabilityMajor, device));
            CudaCall.Check(CudaDriver.cuDeviceGetAttribute(&minor, DeviceAttribute.ComputeCapabilityMinor, device));
            fixed (byte* id = uuid)
            {
                CudaCall.Check(CudaDriver.cuDeviceGetUuid_v2(id, device));
            }
            string text = Encoding.UTF8.GetString(new ReadOnlySpan<byte>(name, new ReadOnlySpan<byte>(name, 256).IndexOf((byte)0)));
            gpus[i] = new GpuInfo(i, text, $"GPU-{new Guid(uuid, bigEndian: true)}", major, minor, (long)bytes);
        }
        return gpus;
    }

    /// <summary>
    /// Bytes that no process has taken now; null where nobody tells: without NVML, before this process has work on the GPU.
    /// </summary>
    public long? FreeBytes() => GpuMemory.FreeOf(Uuid) ?? CudaContext.TryFreeBytes(Index);
}

/// <summary>Free memory by NVML. Thread-safe.</summary>
internal static unsafe class GpuMemory
{
    private static readonly Lock Gate = new();
    private static bool? _there;

    internal static long? FreeOf(string uuid)
    {
        lock (Gate)
        {
            _there ??= CudaLibraries.Has(Nvml.Library) && Nvml.nvmlInit_v2() == Nvml.Success;
            return _there.Value ? Read(uuid) ?? Read(uuid.Replace("GPU-", "MIG-", StringComparison.Ordinal)) : null;
        }
    }

    private static long? Read(string uuid)
    {
        nint device;
        NvmlMemory memory;
        fixed (byte* name = Encoding.ASCII.GetBytes(uuid + '\0'))
        {
            return Nvml.nvmlDeviceGetHandleByUUID(name, &device) == Nvml.Success && Nvml.nvmlDeviceGetMemoryInfo(device, &memory) == Nvml.Success
                ? (long)memory.Free
                : null;
        }
    }
}
