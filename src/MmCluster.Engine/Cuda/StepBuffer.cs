using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Cuda;

/// <summary>
/// The numbers of a step on their way to the GPU: written to pinned memory, brought over by one copy to where kernels, and graphs, read them. There are as many pinned
/// copies as steps in flight, so that the next is written while the last still travels. Grows when asked for more than it has; a graph's must not.
/// </summary>
internal sealed unsafe class StepBuffer : IDisposable
{
    private readonly CudaContext _context;
    private readonly Device _device;
    private readonly PinnedBuffer?[] _pinned;
    private Tensor? _words;
    private int _turn;

    /// <param name="context">The GPU.</param>
    /// <param name="device">The same, as tensors name it.</param>
    /// <param name="depth">Steps in flight at most.</param>
    public StepBuffer(CudaContext context, Device device, int depth)
    {
        _context = context;
        _device = device;
        _pinned = new PinnedBuffer?[depth];
    }

    /// <summary>[words] I32 on the GPU.</summary>
    public Tensor Words => _words ?? throw new InvalidOperationException("the step buffer has not been begun");

    /// <summary>The next step's numbers, not cleared.</summary>
    public Span<int> Begin(int words)
    {
        _turn = (_turn + 1) % _pinned.Length;
        long bytes = (long)words * sizeof(int);
        if (_pinned[_turn] is not { } pinned || pinned.Bytes < bytes)
        {
            _pinned[_turn]?.Dispose();
            _pinned[_turn] = pinned = new PinnedBuffer(_context, Math.Max(bytes, _words is null ? bytes : 4L * _words.Size(0)));
        }
        if (_words is null || _words.Size(0) < words)
        {
            _words?.Dispose();
            _words = Tensor.Empty([words], DType.I32, _device);
        }
        return pinned.Span<int>(0, words);
    }

    /// <summary>Brings the first <paramref name="words"/> of what was written to the GPU, behind what is on the stream.</summary>
    public void Upload(CudaStream stream, int words)
    {
        stream.CopyWords(_pinned[_turn]!.Address, Words.Data, 4L * words);
    }

    public void Dispose()
    {
        foreach (PinnedBuffer? pinned in _pinned)
        {
            pinned?.Dispose();
        }
        _words?.Dispose();
    }
}
