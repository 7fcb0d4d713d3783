using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Cuda;

/// <summary>What sampling writes on the GPU: tokens a row, how many a job, logprobs where asked for. Graphs write to the same place every time.</summary>
internal sealed unsafe class SampleOutputs : IDisposable
{
    private readonly Tensor _words;
    private readonly Tensor _top;
    private readonly int _maxTop;

    /// <param name="device">The GPU.</param>
    /// <param name="rows">Rows sampled at most.</param>
    /// <param name="maxTop">Alternatives a row at most.</param>
    public SampleOutputs(Device device, int rows, int maxTop)
    {
        Rows = rows;
        _maxTop = maxTop;
        _words = Tensor.Zeros([3 * rows], DType.I32, device);
        _top = Tensor.Zeros([2 * rows * maxTop], DType.I32, device);
    }

    public int Rows { get; }

    public int* Tokens => (int*)_words.Data;

    public int* Counts => Tokens + Rows;

    public float* Chosen => (float*)(Tokens + (2 * Rows));

    public int* TopIds => (int*)_top.Data;

    public float* TopValues => (float*)(TopIds + (Rows * _maxTop));

    /// <summary>Bytes that <see cref="Download"/> writes.</summary>
    public long Bytes(bool logprobs) => sizeof(int) * ((3L * Rows) + (logprobs ? 2L * Rows * _maxTop : 0));

    /// <summary>Copies them to pinned memory, behind what is on the stream.</summary>
    public void Download(CudaStream stream, PinnedBuffer target, bool logprobs)
    {
        long words = 3L * Rows * sizeof(int);
        stream.CopyWords(Tokens, target.Address, words);
        if (logprobs)
        {
            stream.CopyWords(TopIds, target.Address + words, 2L * Rows * _maxTop * sizeof(int));
        }
    }

    public void Dispose()
    {
        _words.Dispose();
        _top.Dispose();
    }
}
