using System.Runtime.InteropServices;
using MmCluster.Tensors.Cuda;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors;

/// <summary>
/// Ranks with a GPU each in one process, over NCCL. Calls are queued on the caller's stream and may be captured in graphs, which are to be disposed before the group.
/// NCCL has no way back from an abort: the ranks get new communicators then, and graphs have to be recorded anew.
/// </summary>
internal sealed unsafe class NcclProcessGroup : ProcessGroup
{
    // A call in progress is let finish before an abort, unless it is one that waits for other ranks.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    // What an abort may take when nothing holds the communicator's calls any more.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly CudaContext _context;
    private readonly Shared _shared;
    private readonly Lock _gate = new();
    private nint _communicator; // 0 when it is given back or being aborted
    private Thread? _aborting;

    private NcclProcessGroup(int rank, CudaContext context, nint communicator, Shared shared)
        : base(rank, shared.Devices.Count)
    {
        (_context, _communicator, _shared) = (context, communicator, shared);
        shared.Ends.Add(this);
    }

    /// <summary>The ends of a group, rank i on the i-th of <paramref name="devices"/>, which differ.</summary>
    /// <exception cref="NotSupportedException">NCCL is not to be found.</exception>
    /// <exception cref="CollectiveException">NCCL cannot join these GPUs.</exception>
    public static IReadOnlyList<ProcessGroup> Create(IReadOnlyList<Device> devices)
    {
        if (!CudaLibraries.Has(Nccl.Library))
        {
            throw new NotSupportedException(CudaLibraries.Missing(Nccl.Library));
        }
        // Multicast over NVLink has put GPUs of a host out of service that others use too. Who has set it knows his machine; children inherit what was set for them.
        _ = Nccl.setenv("NCCL_NVLS_ENABLE", "0", overwrite: 0);
        nint[] communicators = Join(devices);
        Shared shared = new(devices);
        return [.. devices.Select((device, rank) => new NcclProcessGroup(rank, CudaContext.Get(device.Index), communicators[rank], shared))];
    }

    /// <inheritdoc/>
    public override void AllReduce(Tensor x)
    {
        CheckDense("all_reduce", x);
        CheckHere("all_reduce", x);
        // Two terms have one order. More are added in an order that depends on where in x they lie, so on the rows beside them.
        if (_context.Deterministic && Size != 2)
        {
            AddInOrder(x);
            return;
        }
        lock (_gate)
        {
            nint address = (nint)x.Data;
            Check(
                Nccl.ncclAllReduce(address, address, (nuint)x.ElementCount, TypeOf("all_reduce", x), NcclOperation.Sum, Communicator, _context.Stream.Handle),
                "all_reduce", _communicator);
        }
    }

    /// <inheritdoc/>
    public override void AllGather(Tensor x, Tensor gathered)
    {
        CheckGather(x, gathered);
        CheckHere("all_gather", x);
        CheckHere("all_gather", gathered);
        lock (_gate)
        {
            Check(
                Nccl.ncclAllGather((nint)x.Data, (nint)gathered.Data, (nuint)x.ElementCount, TypeOf("all_gather", x), Communicator, _context.Stream.Handle),
                "all_gather", _communicator);
        }
    }

    /// <inheritdoc/>
    public override void Check()
    {
        lock (_gate)
        {
            NcclResult error;
            Check(Nccl.ncclCommGetAsyncError(Communicator, &error), "asking for errors", _communicator);
            Check(error, $"rank {Rank}", _communicator);
        }
    }

    /// <inheritdoc/>
    public override void Abort(Exception reason)
    {
        _shared.IsAborted = true;
        foreach (NcclProcessGroup end in _shared.Ends)
        {
            end.AbortEnd();
        }
    }

    /// <inheritdoc/>
    public override void Restore()
    {
        lock (_shared)
        {
            if (!_shared.IsAborted)
            {
                return; // for another rank already
            }
            foreach (NcclProcessGroup end in _shared.Ends)
            {
                if (end._context.Lost.IsCompleted || end._aborting?.Join(Patience) == false)
                {
                    throw new CollectiveException($"rank {end.Rank} does not give its communicator up: its GPU is lost, or a graph still holds calls");
                }
                end._aborting = null;
            }
            nint[] communicators = Join(_shared.Devices);
            foreach (NcclProcessGroup end in _shared.Ends)
            {
                end._communicator = communicators[end.Rank];
            }
            _shared.IsAborted = false;
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        if (_context.Lost.IsCompleted)
        {
            return; // its context has taken everything along
        }
        nint communicator = Interlocked.Exchange(ref _communicator, 0);
        if (communicator != 0)
        {
            _context.Bind();
            _ = Nccl.ncclCommDestroy(communicator);
            CudaContext.ForgetBinding();
        }
        _aborting?.Join();
    }

    private static nint[] Join(IReadOnlyList<Device> devices)
    {
        int[] ordinals = [.. devices.Select(device => device.Index)];
        nint[] communicators = new nint[devices.Count];
        fixed (int* device = ordinals)
        fixed (nint* communicator = communicators)
        {
            CudaContext.Get(ordinals[0]).Bind();
            NcclResult result = Nccl.ncclCommInitAll(communicator, devices.Count, device);
            CudaContext.ForgetBinding(); // it goes through all devices on this thread
            Check(result, $"joining {string.Join(", ", devices)}", 0);
        }
        return communicators;
    }

    private nint Communicator => _communicator != 0 ? _communicator : throw new CollectiveException("another rank of the group has failed", aborted: true);

    // On a thread of its own: kernels that wait are told at once, but it returns only when all graphs that hold its calls are gone.
    private void AbortEnd()
    {
        bool entered = _gate.TryEnter(Grace);
        try
        {
            nint communicator = Interlocked.Exchange(ref _communicator, 0);
            if (communicator != 0)
            {
                _aborting = new Thread(() =>
                {
                    if (!_context.Lost.IsCompleted)
                    {
                        _context.Bind();
                    }
                    _ = Nccl.ncclCommAbort(communicator);
                })
                { IsBackground = true, Name = $"abort-rank-{Rank}" };
                _aborting.Start();
            }
        }
        finally
        {
            if (entered)
            {
                _gate.Exit();
            }
        }
    }

    private void AddInOrder(Tensor x)
    {
        using var scope = new TensorScope();
        Tensor flat = x.Reshape(-1);
        Tensor all = Tensor.Empty([Size, flat.Size(0)], x.DType, x.Device);
        AllGather(flat, all);
        flat.CopyFrom(Row(0));
        for (int rank = 1; rank < Size; rank++)
        {
            flat.Add(Row(rank), flat);
        }

        Tensor Row(int rank) => all.Slice(0, rank, rank + 1).Reshape(-1);
    }

    private void CheckHere(string operation, Tensor x)
    {
        if (x.Device.IsCpu || x.Device.Index != _context.Ordinal)
        {
            throw new ArgumentException($"{operation}: rank {Rank} is on cuda:{_context.Ordinal}, got {x}");
        }
    }

    private static NcclDataType TypeOf(string operation, Tensor x) => x.DType switch
    {
        DType.F32 => NcclDataType.F32,
        DType.F16 => NcclDataType.F16,
        DType.BF16 => NcclDataType.BF16,
        _ => throw new ArgumentException($"{operation}: wants F32, F16 or BF16, got {x}"),
    };

    private static void Check(NcclResult result, string what, nint communicator)
    {
        if (result is not (NcclResult.Success or NcclResult.InProgress))
        {
            throw new CollectiveException(
                $"NCCL: {what} failed: {Marshal.PtrToStringUTF8((nint)Nccl.ncclGetErrorString(result))}; {Marshal.PtrToStringUTF8((nint)Nccl.ncclGetLastError(communicator))}");
        }
    }

    /// <summary>What all ends have in common.</summary>
    private sealed class Shared(IReadOnlyList<Device> devices)
    {
        private volatile bool _aborted;

        public IReadOnlyList<Device> Devices => devices;

        public List<NcclProcessGroup> Ends { get; } = [];

        public bool IsAborted
        {
            get => _aborted;
            set => _aborted = value;
        }
    }
}
