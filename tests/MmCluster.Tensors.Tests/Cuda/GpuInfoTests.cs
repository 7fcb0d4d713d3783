using MmCluster.Tensors.Cuda;

namespace MmCluster.Tensors.Tests.Cuda;

public sealed class GpuInfoTests
{
    [Fact]
    public void The_driver_s_gpus_are_listed_in_order()
    {
        IReadOnlyList<GpuInfo> gpus = GpuInfo.List();
        Assert.Equal(Device.CudaCount, gpus.Count);
        Assert.Equal(Enumerable.Range(0, gpus.Count).Select(i => $"cuda:{i}"), gpus.Select(gpu => gpu.Device));
        Assert.Equal(gpus.Count, gpus.Select(gpu => gpu.Uuid).Distinct().Count());
    }

    [Fact]
    public void A_gpu_s_free_memory_is_what_its_context_says()
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        GpuInfo gpu = GpuInfo.List()[0];
        (long free, long total) = CudaContext.Get(0).Memory();
        Assert.Equal(CudaContext.Get(0).Properties.Name, gpu.Name);
        Assert.Equal(total, gpu.TotalBytes);
        // Other tests of this process come and go meanwhile; NVML counts what the driver keeps for itself.
        Assert.InRange(gpu.FreeBytes()!.Value, free - (4L << 30), free + (4L << 30));
    }

    [Theory]
    [InlineData(7, 5, false)]
    [InlineData(8, 0, true)]
    [InlineData(9, 0, true)]
    public void Ampere_and_newer_can_be_used(int major, int minor, bool usable)
    {
        GpuInfo gpu = new(3, "card", "GPU-1", major, minor, 1);
        Assert.Equal(usable, gpu.IsUsable);
        Assert.Equal($"{major}.{minor}", gpu.ComputeCapability);
        Assert.Equal("cuda:3", gpu.Device);
    }
}
