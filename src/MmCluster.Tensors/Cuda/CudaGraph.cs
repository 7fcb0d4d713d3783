using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Cuda;

/// <summary>Recorded work that is launched as one. It reads its inputs where they lay while it was recorded.</summary>
internal sealed unsafe class CudaGraph : IDisposable
{
    private readonly CudaContext _context;
    private readonly nint _instance;
    private bool _disposed;

    /// <summary>Takes a captured graph over.</summary>
    internal CudaGraph(CudaContext context, nint graph)
    {
        _context = context;
        try
        {
            nuint nodes;
            CudaCall.Check(CudaDriver.cuGraphGetNodes(graph, null, &nodes));
            Nodes = (int)nodes;
            long before = context.Memory().Free;
            nint instance;
            CudaCall.Check(CudaDriver.cuGraphInstantiateWithFlags(&instance, graph, 0));
            _instance = instance;
            Bytes = Math.Max(0, before - context.Memory().Free);
        }
        finally
        {
            _ = CudaDriver.cuGraphDestroy(graph);
        }
    }

    /// <summary>Kernels, copies and fills in it.</summary>
    internal int Nodes { get; }

    /// <summary>Memory of the GPU that the driver took for it; what its kernels work on is its pool's.</summary>
    internal long Bytes { get; private set; }

    /// <summary>Sends it to the GPU ahead of its first launch.</summary>
    internal void Upload(CudaStream stream)
    {
        long before = _context.Memory().Free;
        CudaCall.Check(CudaDriver.cuGraphUpload(_instance, stream.Handle));
        stream.Synchronize();
        Bytes += Math.Max(0, before - _context.Memory().Free);
    }

    /// <summary>Runs it behind what is on the stream.</summary>
    internal void Launch(CudaStream stream)
    {
        _context.Bind();
        CudaCall.Check(CudaDriver.cuGraphLaunch(_instance, stream.Handle));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            if (!_context.Lost.IsCompleted)
            {
                _context.Bind();
                _ = CudaDriver.cuGraphExecDestroy(_instance);
            }
        }
    }
}
