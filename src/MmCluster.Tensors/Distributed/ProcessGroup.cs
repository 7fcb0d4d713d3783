namespace MmCluster.Tensors;

/// <summary>
/// One rank's end of a group of ranks that compute together, named as in torch.distributed. Every rank calls the same operations in the same order, each with
/// tensors of the same shape and type; a call takes part on the caller's thread, and on a GPU it is queued on that thread's stream. A rank has one caller.
/// </summary>
/// <remarks>Sums are added in the order of the ranks or by the library in one place, so that all ranks get the same bits.</remarks>
public abstract class ProcessGroup : IDisposable
{
    private readonly TaskCompletionSource<Exception> _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The end of rank <paramref name="rank"/> of <paramref name="size"/>.</summary>
    private protected ProcessGroup(int rank, int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)rank, (uint)size, nameof(rank));
        (Rank, Size) = (rank, size);
    }

    /// <summary>Which of the ranks this is, from 0.</summary>
    public int Rank { get; }

    /// <summary>How many ranks there are (torch's world size).</summary>
    public int Size { get; }

    /// <summary>Completes with the reason when the group is of no more use: an abort that could not be undone.</summary>
    public Task<Exception> Lost => _lost.Task;

    /// <summary>
    /// A group of <paramref name="size"/> ranks in this process, one a thread: on the processor all share its memory; on GPUs rank i has the i-th from
    /// <paramref name="first"/> on, over NCCL.
    /// </summary>
    /// <returns>The ranks' ends, in order; <see cref="Close"/> ends them.</returns>
    /// <exception cref="ArgumentException">There are fewer GPUs.</exception>
    /// <exception cref="NotSupportedException">NCCL is not to be found.</exception>
    public static IReadOnlyList<ProcessGroup> Create(Device first, int size) => first.IsCpu
        ? LocalProcessGroup.Create(size)
        : first.Index + size <= Device.CudaCount
        ? NcclProcessGroup.Create([.. Enumerable.Range(first.Index, size).Select(index => Device.Cuda(index))])
        : throw new ArgumentException($"{size} ranks from {first} on need as many GPUs; this process sees {Device.CudaCount}");

    /// <summary>Disposes all ends of a group at once, as some libraries want it. No rank is in a call.</summary>
    public static void Close(IReadOnlyList<ProcessGroup> ranks)
    {
        Thread[] threads = [.. ranks.Select(rank => new Thread(rank.Dispose) { IsBackground = true, Name = $"close-rank-{rank.Rank}" })];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
    }

    /// <summary>Puts the sum of all ranks' <paramref name="x"/> (dense floats) into each of them.</summary>
    /// <exception cref="CollectiveException">The group was aborted, or the ranks' tensors differ.</exception>
    public abstract void AllReduce(Tensor x);

    /// <summary>Puts rank i's <paramref name="x"/> into <paramref name="gathered"/>[i] of every rank; both dense, of one type.</summary>
    /// <exception cref="CollectiveException">The group was aborted, or the ranks' tensors differ.</exception>
    public abstract void AllGather(Tensor x, Tensor gathered);

    /// <summary>Throws what has broken the group meanwhile, though no call has said so.</summary>
    /// <exception cref="CollectiveException">It is broken.</exception>
    public virtual void Check()
    {
    }

    /// <summary>Ends what any rank is waiting for and all calls to come with an error: for a rank that cannot go on. From any thread.</summary>
    /// <param name="reason">Why it cannot.</param>
    public abstract void Abort(Exception reason);

    /// <summary>
    /// Makes the group usable again behind an abort, for all ranks; nothing where it was not aborted. No rank is in a call, and graphs that hold calls are gone.
    /// </summary>
    /// <exception cref="CollectiveException">It cannot be used again.</exception>
    public abstract void Restore();

    /// <summary>Says that the group is of no more use; <see cref="Lost"/> tells it.</summary>
    internal void GiveUp(Exception reason) => _lost.TrySetResult(reason);

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>The gather's sizes fit.</summary>
    private protected void CheckGather(Tensor x, Tensor gathered)
    {
        if (!x.IsContiguous || !gathered.IsContiguous || x.DType != gathered.DType || gathered.ElementCount != Size * x.ElementCount)
        {
            throw new ArgumentException($"all_gather: {x} of {Size} ranks does not fill {gathered}");
        }
    }

    /// <summary>It lies densely.</summary>
    private protected static void CheckDense(string operation, Tensor x)
    {
        if (!x.IsContiguous)
        {
            throw new ArgumentException($"{operation}: the tensor must be dense, got {x}");
        }
    }
}

/// <summary>A collective operation failed, or the group was given up by another rank.</summary>
public sealed class CollectiveException(string message, bool aborted = false) : Exception(message)
{
    /// <summary>Whether another rank's failure is the cause.</summary>
    public bool IsAborted { get; } = aborted;
}
