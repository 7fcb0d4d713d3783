using System.Collections.Concurrent;

namespace MmCluster.Tensors.Cuda;

/// <summary>Kernels that were looked up before, by what chooses among them; nothing is allocated for those that are known. Thread-safe.</summary>
internal sealed class KernelTable<TKey>(Func<TKey, CudaKernel> find) where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, CudaKernel> _known = new();

    internal CudaKernel this[TKey key] => _known.GetOrAdd(key, find);
}
