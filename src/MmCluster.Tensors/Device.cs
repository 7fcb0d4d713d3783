using System.Globalization;
using MmCluster.Tensors.Cpu;

namespace MmCluster.Tensors;

/// <summary>Where tensors live and operations run: <c>cpu</c>, <c>cpu:1</c> (a NUMA node), later <c>cuda:0</c>.</summary>
public sealed class Device
{
    private Device(string kind, int index, IBackend backend)
    {
        Kind = kind;
        Index = index;
        Backend = backend;
    }

    /// <summary>The processor, with the process's compute pool.</summary>
    public static Device Cpu { get; } = new("cpu", 0, new CpuBackend());

    /// <summary>
    /// Threads that operations on this device use, the caller's included; all CPUs of the process unless set. Results do not depend on it.
    /// May be set at any time; operations in flight end on the threads they have.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Below 1 or above 1024.</exception>
    public int Threads
    {
        get => Backend.Threads;
        set => Backend.Threads = value;
    }

    internal IBackend Backend { get; }

    /// <summary>cpu or cuda.</summary>
    public string Kind { get; }

    /// <summary>Which of its kind.</summary>
    public int Index { get; }

    /// <summary>Whether spans over its memory can be read here.</summary>
    public bool IsCpu => Kind == "cpu";

    /// <summary>The device that a name means.</summary>
    /// <exception cref="ArgumentException">Not a device name.</exception>
    /// <exception cref="NotSupportedException">A device that this build or machine does not have.</exception>
    public static Device Parse(string name)
    {
        string[] parts = name.Split(':');
        if (parts.Length > 2 || (parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out _)))
        {
            throw new ArgumentException($"device: '{name}' is not a name like cpu or cuda:0");
        }

        return parts[0] == "cpu" && (parts.Length == 1 || parts[1] == "0")
            ? Cpu
            : throw new NotSupportedException($"device: '{name}' is not available; known: cpu");
    }

    /// <summary>cpu, cpu:1, cuda:0</summary>
    public override string ToString() => IsCpu && Index == 0 ? "cpu" : $"{Kind}:{Index}";
}
