using MmCluster.Tensors.Cuda;

namespace MmCluster.Tensors;

/// <summary>
/// Ranks that are threads of one process and share one device's memory: the processor's, or that of one GPU, whose streams wait for each other then. A sum is
/// cut into a piece a rank; each rank adds its piece of all tensors up, in the order of the ranks, and writes it to all of them.
/// </summary>
internal sealed class LocalProcessGroup : ProcessGroup
{
    private readonly Shared _shared;

    private LocalProcessGroup(int rank, Shared shared)
        : base(rank, shared.Size) => _shared = shared;

    /// <summary>The ends of <paramref name="size"/> ranks.</summary>
    public static IReadOnlyList<ProcessGroup> Create(int size)
    {
        Shared shared = new(size);
        return [.. Enumerable.Range(0, size).Select(rank => new LocalProcessGroup(rank, shared))];
    }

    /// <inheritdoc/>
    public override void AllReduce(Tensor x)
    {
        CheckDense("all_reduce", x);
        Meet(x);
        try
        {
            CheckAlike("all_reduce");
            int start = (int)(x.ElementCount * Rank / Size);
            int end = (int)(x.ElementCount * (Rank + 1) / Size);
            if (start < end)
            {
                AddUp(start, end);
            }
        }
        finally
        {
            Part(x);
        }
    }

    /// <inheritdoc/>
    public override void AllGather(Tensor x, Tensor gathered)
    {
        CheckGather(x, gathered);
        Meet(x);
        try
        {
            CheckAlike("all_gather");
            using var scope = new TensorScope();
            Tensor rows = gathered.Reshape(Size, -1);
            for (int rank = 0; rank < Size; rank++)
            {
                rows.Slice(0, rank, rank + 1).CopyFrom(_shared[rank].Reshape(1, -1));
            }
        }
        finally
        {
            Part(x);
        }
    }

    /// <inheritdoc/>
    public override void Abort(Exception reason) => _shared.Meeting.Break();

    /// <inheritdoc/>
    public override void Restore() => _shared.Meeting.Restore();

    private void AddUp(int start, int end)
    {
        using var scope = new TensorScope();
        Tensor sum = Piece(0);
        for (int rank = 1; rank < Size; rank++)
        {
            sum.Add(Piece(rank), sum);
        }
        for (int rank = 1; rank < Size; rank++)
        {
            Piece(rank).CopyFrom(sum);
        }

        Tensor Piece(int rank) => _shared[rank].Reshape(-1).Slice(0, start, end);
    }

    // Behind it everybody's tensor is there to be read and written.
    private void Meet(Tensor x)
    {
        Settle(x);
        _shared[Rank] = x;
        _shared.Meeting.Wait();
    }

    // Behind it everybody has done his part. All who have met come here, whatever happens, so that nobody's tensor is gone while another uses it.
    private void Part(Tensor x)
    {
        try
        {
            Settle(x);
        }
        finally
        {
            _shared.Meeting.WaitForAll();
        }
    }

    private void CheckAlike(string operation)
    {
        Tensor first = _shared[0];
        for (int rank = 1; rank < Size; rank++)
        {
            Tensor other = _shared[rank];
            if (other.ElementCount != first.ElementCount || other.DType != first.DType || other.Device != first.Device)
            {
                throw new CollectiveException($"{operation}: rank 0 has {first}, rank {rank} has {other}");
            }
        }
    }

    private static void Settle(Tensor x)
    {
        if (!x.Device.IsCpu)
        {
            CudaContext.Get(x.Device.Index).Stream.Synchronize();
        }
    }

    /// <summary>What the ranks have in common: the tensors of the call in progress, and where they meet.</summary>
    private sealed class Shared(int size)
    {
        private readonly Tensor?[] _tensors = new Tensor?[size];

        public int Size => size;

        public Meeting Meeting { get; } = new(size);

        public Tensor this[int rank]
        {
            get => _tensors[rank]!;
            set => _tensors[rank] = value;
        }
    }
}

/// <summary>Where so many threads wait for each other, again and again, until it is broken. Allocates nothing.</summary>
internal sealed class Meeting(int size)
{
    private readonly object _gate = new();
    private int _arrived;
    private long _turn;
    private bool _broken;

    /// <summary>Returns when all have come.</summary>
    /// <exception cref="CollectiveException">It is broken.</exception>
    public void Wait() => Wait(breaks: true);

    /// <summary>Returns when all have come, even if it breaks meanwhile: all are sure to come.</summary>
    public void WaitForAll() => Wait(breaks: false);

    /// <summary>Throws in all who wait and who come later.</summary>
    public void Break()
    {
        lock (_gate)
        {
            _broken = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Begins anew; nobody waits.</summary>
    public void Restore()
    {
        lock (_gate)
        {
            (_broken, _arrived) = (false, 0);
        }
    }

    private void Wait(bool breaks)
    {
        lock (_gate)
        {
            long turn = _turn;
            ThrowIfBroken(breaks);
            if (++_arrived == size)
            {
                _arrived = 0;
                _turn++;
                Monitor.PulseAll(_gate);
            }
            while (_turn == turn)
            {
                Monitor.Wait(_gate);
                if (_turn == turn)
                {
                    ThrowIfBroken(breaks);
                }
            }
        }
    }

    private void ThrowIfBroken(bool breaks)
    {
        if (_broken && breaks)
        {
            throw new CollectiveException("another rank of the group has failed", aborted: true);
        }
    }
}
