using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Stages;

/// <summary>Says in an operator's words what went wrong with a GPU's work.</summary>
internal static class GpuFaults
{
    /// <summary>
    /// The result of <paramref name="work"/>. A lost device is Unavailable, so that the item goes to another replica; memory that is not there is ResourceExhausted and
    /// says what to lower: the stage lives on.
    /// </summary>
    public static T Told<T>(Device device, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception error) when (device.Lost.IsCompleted)
        {
            throw new MmException(MmErrorCode.Unavailable, $"{device} is lost to its process: {error.Message}", error);
        }
        catch (InsufficientMemoryException error)
        {
            throw new MmException(
                MmErrorCode.ResourceExhausted, $"{error.Message}; lower gpu_memory_utilization of the backbone on it, or put this component on another device", error);
        }
    }
}
