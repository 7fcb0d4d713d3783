namespace MmCluster.Tensors;

/// <summary>A block of a device's memory that a <see cref="Storage"/> holds. Freed from any thread, finalizers included.</summary>
internal abstract class DeviceMemory
{
    /// <summary>First byte, in the device's addresses.</summary>
    internal nint Address { get; private protected init; }

    /// <summary>Gives it back to the device's allocator. Once.</summary>
    internal abstract void Free();
}
