using System.Runtime.InteropServices;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Tensors.Tests.Cuda;

/// <summary>Memory of a GPU under two addresses, as a peer has it.</summary>
public sealed partial class GpuShareTests
{
    private const int Width = 1000;

    [Fact]
    public void What_one_writes_the_other_reads()
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        Device gpu = Device.Cuda(0);
        using GpuShare own = GpuShare.Create(gpu, 5 << 20);
        Assert.True(own.Bytes >= 5 << 20);
        using GpuShare theirs = GpuShare.Open(gpu, Duplicate(own.Descriptor), own.Bytes);
        using Tensor written = own.View(4096, [7, Width], DType.F32);
        using Tensor read = theirs.View(4096, [7, Width], DType.F32);
        using (Tensor values = Tensor.Arange(7 * Width, dtype: DType.F32).Reshape(7, Width))
        {
            written.CopyFrom(values);
            CudaContext.Get(0).Stream.Synchronize();
            Assert.Equal(values.ToArray<float>(), read.ToArray<float>());
        }
        Assert.Throws<ArgumentException>(() => read.CopyFrom(written)); // theirs is to be read
    }

    [Fact]
    public void A_peer_keeps_what_its_maker_let_go()
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        Device gpu = Device.Cuda(0);
        GpuShare own = GpuShare.Create(gpu, 1 << 20);
        using (Tensor all = own.View(0, [Width], DType.F32))
        {
            all.CopyFrom(Tensor.Full([Width], 3, DType.F32, gpu));
            CudaContext.Get(0).Stream.Synchronize();
        }
        using GpuShare theirs = GpuShare.Open(gpu, Duplicate(own.Descriptor), own.Bytes);
        own.Dispose();
        using Tensor read = theirs.View(0, [Width], DType.F32);
        Assert.All(read.ToArray<float>(), value => Assert.Equal(3, value));
        Assert.Throws<ObjectDisposedException>(() => own.View(0, [1], DType.F32));
    }

    [Fact]
    public void What_is_let_go_is_the_gpu_s_again()
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        Device gpu = Device.Cuda(0);
        long before = CudaContext.Get(0).Memory().Free;
        for (int i = 0; i < 20; i++)
        {
            using GpuShare own = GpuShare.Create(gpu, 1L << 30);
            using GpuShare theirs = GpuShare.Open(gpu, Duplicate(own.Descriptor), own.Bytes);
            own.View(0, [4], DType.F32).CopyFrom(Tensor.Full([4], i, DType.F32, gpu));
            CudaContext.Get(0).Stream.Synchronize();
            Assert.Equal(i, theirs.View(0, [4], DType.F32).ToArray<float>()[3]);
        }
        Assert.InRange(CudaContext.Get(0).Memory().Free, before - (4L << 30), long.MaxValue); // others work on the GPU too
    }

    [Fact]
    public void Sizes_and_descriptors_that_do_not_fit_are_refused()
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        Device gpu = Device.Cuda(0);
        using GpuShare own = GpuShare.Create(gpu, 1 << 20);
        Assert.Throws<NotSupportedException>(() => GpuShare.Open(gpu, Duplicate(own.Descriptor), own.Bytes + (2 << 20)));
        Assert.Throws<NotSupportedException>(() => GpuShare.Open(gpu, OpenNull(), own.Bytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => own.View(own.Bytes - 4, [2], DType.F32));
        Assert.Throws<InsufficientMemoryException>(() => GpuShare.Create(gpu, 1L << 50));
    }

    private static int OpenNull() => Open("/dev/null", 0);

    [LibraryImport("libc", EntryPoint = "dup")]
    private static partial int Duplicate(int descriptor);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);
}
