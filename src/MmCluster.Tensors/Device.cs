using System.Collections.Concurrent;
using System.Globalization;
using MmCluster.Tensors.Cpu;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Tensors;

/// <summary>Where tensors live and operations run: <c>cpu</c>, or a GPU such as <c>cuda:0</c>.</summary>
public sealed class Device
{
    private static readonly ConcurrentDictionary<int, Lazy<Device>> Gpus = new();

    private Device(string kind, int index, IBackend backend)
    {
        Kind = kind;
        Index = index;
        Backend = backend;
    }

    /// <summary>The processor, with the process's compute pool.</summary>
    public static Device Cpu { get; } = new("cpu", 0, new CpuBackend());

    /// <summary>How many NVIDIA GPUs this process sees; 0 without a driver.</summary>
    public static int CudaCount => CudaContext.Count;

    /// <summary>
    /// Threads that operations on this device use, the caller's included; all CPUs of the process unless set. Results do not depend on it.
    /// May be set at any time; operations in flight end on the threads they have.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Below 1 or above 1024.</exception>
    /// <exception cref="NotSupportedException">Setting it for a GPU.</exception>
    public int Threads
    {
        get => Backend.Threads;
        set => Backend.Threads = value;
    }

    /// <summary>
    /// Completes with the reason when the device is of no more use to this process: after an illegal access or a hardware error of a GPU every call on it fails, whoever
    /// makes it, until the process starts anew. Never for the processor.
    /// </summary>
    public Task<Exception> Lost => Backend is CudaBackend gpu ? gpu.Context.Lost : Never;

    private static Task<Exception> Never { get; } = new TaskCompletionSource<Exception>().Task;

    /// <summary>
    /// Gives a GPU's memory that tensors have freed, and that is kept for those to come, back to its driver: for who has let go of a model. Waits for all work of the GPU.
    /// Nothing on the processor.
    /// </summary>
    public void ReleaseCached() => Backend.ReleaseCached();

    internal IBackend Backend { get; }

    /// <summary>cpu or cuda.</summary>
    public string Kind { get; }

    /// <summary>Which of its kind.</summary>
    public int Index { get; }

    /// <summary>Whether spans over its memory can be read here.</summary>
    public bool IsCpu => Kind == "cpu";

    /// <summary>A GPU. The first call compiles its kernels, which takes seconds where they are not cached.</summary>
    /// <exception cref="NotSupportedException">There is no such GPU, it is older than Ampere, or a library is missing; the message says which.</exception>
    public static Device Cuda(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        Lazy<Device> device = Gpus.GetOrAdd(
            index, static i => new Lazy<Device>(() => new Device("cuda", i, new CudaBackend(CudaContext.Get(i))), LazyThreadSafetyMode.ExecutionAndPublication));
        try
        {
            return device.Value;
        }
        catch
        {
            Gpus.TryRemove(KeyValuePair.Create(index, device)); // what is missing may come
            throw;
        }
    }

    /// <summary>The device that a name means: cpu, cuda or cuda:1.</summary>
    /// <exception cref="ArgumentException">Not a device name.</exception>
    /// <exception cref="NotSupportedException">A device that this machine does not have.</exception>
    public static Device Parse(string name)
    {
        string[] parts = name.Split(':');
        int index = 0;
        if (parts.Length > 2 || (parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out index)))
        {
            throw new ArgumentException($"device: '{name}' is not a name like cpu or cuda:0");
        }

        return (parts[0], index) switch
        {
            ("cpu", 0) => Cpu,
            ("cuda", _) => Cuda(index),
            _ => throw new NotSupportedException($"device: '{name}' is not available; known: cpu, and cuda:N for {CudaCount} GPUs"),
        };
    }

    /// <summary>cpu, cuda:1</summary>
    public override string ToString() => IsCpu && Index == 0 ? "cpu" : $"{Kind}:{Index}";
}
