using System.CommandLine;
using MmCluster.Tensors;

namespace MmCluster.Cli.Commands;

/// <summary><c>--threads</c>: the size of the compute pool.</summary>
internal static class ThreadsOption
{
    public static Option<int> Create() => NumberOptions.Positive("--threads", ComputePool.AvailableCpus, "Threads that compute; default: all CPUs.");
}
