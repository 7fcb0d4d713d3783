namespace MmCluster.Tensors.Tests;

/// <summary>One body of tests for every device.</summary>
public abstract partial class DeviceTests
{
    private protected abstract Device Device { get; }
}

public sealed class CpuDeviceTests : DeviceTests
{
    private protected override Device Device => Device.Cpu;
}
