using MmCluster.Tensors.Cuda;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Tests;

/// <summary>Tests that share a GPU run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class CudaTests
{
    public const string Name = "cuda";

    /// <summary>Skips the test, visibly, where there is no GPU.</summary>
    internal static Device Require()
    {
        Assert.SkipWhen(Device.CudaCount == 0, "no NVIDIA GPU");
        return Device.Cuda(0);
    }
}

/// <summary>The tests of every device on a GPU. One algorithm serves all row counts, so results have the same bits alone and among others.</summary>
[Collection(CudaTests.Name)]
public sealed class CudaDeviceTests : DeviceTests, IDisposable
{
    private readonly CudaContext? _context;

    public CudaDeviceTests()
    {
        Device = CudaTests.Require();
        _context = CudaContext.Get(0);
        _context.Deterministic = true;
    }

    private protected override Device Device { get; }

    private protected override double FunctionError => 1e-6; // CUDA's own functions are right to a few units in the last place

    private protected override double SumError => 4e-6; // long sums in one chain

    public void Dispose()
    {
        if (_context is not null)
        {
            _context.Deterministic = false;
        }
    }
}

/// <summary>What all kernels have in common.</summary>
[Collection(CudaTests.Name)]
public sealed class KernelCompilerTests
{
    public static TheoryData<string, string> Files => [.. new MatrixTheoryData<string, string>([.. KernelCompiler.Modules], ["sm_80", "sm_90a"])];

    [Theory, MemberData(nameof(Files))]
    public void Kernels_compile(string module, string architecture)
    {
        Assert.SkipUnless(CudaLibraries.Has(Nvrtc.Library), "no NVRTC");
        Assert.NotEmpty(KernelCompiler.Compile(module, architecture));
    }

    [Fact]
    public void What_does_not_compile_is_named()
    {
        Assert.SkipUnless(CudaLibraries.Has(Nvrtc.Library), "no NVRTC");
        CudaException error = Assert.Throws<CudaException>(() => KernelCompiler.Compile("elements", "sm_80", "-Dfloat=nonsense"));
        Assert.Contains("elements.cu does not compile", error.Message, StringComparison.Ordinal);
        Assert.Contains("nonsense", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_is_not_there_is_refused_with_what_is_missing()
    {
        Assert.SkipWhen(Device.CudaCount > 0, "there is a GPU");
        Assert.Contains("looked in", Assert.Throws<NotSupportedException>(() => Device.Parse("cuda:0")).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Device.Parse("cuda:x"));
    }
}
