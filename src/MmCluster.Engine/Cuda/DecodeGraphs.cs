using MmCluster.Engine.Cpu;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Cuda;

/// <summary>
/// A CUDA graph a batch size, from embedding to sampling, for steps of one token a sequence; a step takes the next larger one and fills it up with rows of no sequence.
/// Graphs read everything that changes from the step's buffer, so one serves all contexts. They share one memory pool, because only one runs at a time.
/// </summary>
internal sealed class DecodeGraphs : IDisposable
{
    private readonly CudaStream _stream;
    private readonly StepBuffer _steps;
    private readonly StepWriter _writer;
    private readonly SampleOutputs? _outputs;
    private readonly CudaMemoryPool _pool;
    private readonly Entry[] _entries;
    private readonly int _capacity;

    /// <summary>Records the graphs, largest first.</summary>
    public DecodeGraphs(
        CudaContext context, CudaStream stream, CudaNetwork network, StepWriter writer, ExecutorDescription description, SampleOutputs? outputs, int depth)
    {
        (_stream, _writer) = (stream, writer);
        _outputs = outputs;
        _steps = new StepBuffer(context, network.Device, depth);
        _pool = context.Allocator.CreatePool();
        int width = ((description.MaxModelLength + PagedKv.BlockSize - 1) / PagedKv.BlockSize + 7) & ~7;
        int[] sizes = [.. Sizes(description.MaxSlots)];
        StepLayout largest = Layout(sizes[^1], width, network.Needs);
        _capacity = largest.Words + (sizes[^1] * ((description.VocabularySize + 31) / 32)); // a mask each
        _entries = new Entry[sizes.Length];
        try
        {
            for (int i = sizes.Length - 1; i >= 0; i--)
            {
                _entries[i] = Record(network, Layout(sizes[i], width, network.Needs));
            }
        }
        catch
        {
            Dispose(); // a communicator is not given back while a graph has its calls
            throw;
        }
    }

    /// <summary>Bytes of GPU memory that the graphs and their work take.</summary>
    public long Bytes => _pool.Reserved + _entries.Sum(entry => entry.Graph.Bytes) + (sizeof(int) * (long)_capacity);

    /// <summary>Batch sizes with a graph for sequences up to <paramref name="most"/>: 1, 2, 4, multiples of 8, and that itself.</summary>
    public static IEnumerable<int> Sizes(int most)
    {
        int size = 1;
        while (size < most)
        {
            yield return size;
            size = size < 8 ? 2 * size : size + 8;
        }
        yield return most;
    }

    /// <summary>Queues a plan as a graph; false where it is none for them.</summary>
    public bool TryRun(in StepPlan plan, CpuSlot?[] slots, StepFlight flight)
    {
        int count = plan.Chunks.Length;
        if (plan.Starts.Length > 0 || !OneTokenEach(plan, slots) || EntryFor(count) is not { } entry || entry.Layout.Words + StepWriter.TailWords(plan) > _capacity)
        {
            return false;
        }
        int words = entry.Layout.Words + StepWriter.TailWords(plan);
        Span<int> buffer = _steps.Begin(_capacity);
        _writer.Write(plan, entry.Layout, buffer, flight);
        StepWriter.Pad(entry.Layout, count, buffer);
        _steps.Upload(_stream, words);
        entry.Graph.Launch(_stream);
        flight.Fetch(_stream, _outputs);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Entry? entry in _entries)
        {
            entry?.Graph.Dispose();
        }
        _pool.Dispose();
        _steps.Dispose();
    }

    private Entry Record(CudaNetwork network, StepLayout layout)
    {
        StepWriter.Pad(layout, 0, _steps.Begin(_capacity));
        _steps.Upload(_stream, layout.Words);
        // Once without recording: kernels are loaded and algorithms chosen meanwhile.
        network.Run(_stream, layout, _steps.Words, _outputs);
        _stream.Synchronize();
        CudaGraph graph = _stream.Capture(_pool, () => network.Run(_stream, layout, _steps.Words, _outputs));
        try
        {
            graph.Upload(_stream);
        }
        catch
        {
            graph.Dispose();
            throw;
        }
        return new Entry(layout, graph);
    }

    private static StepLayout Layout(int size, int width, StepNeeds needs) => new(size, size, size, size, width, maxQueries: 1, visible: false, needs);

    private static bool OneTokenEach(in StepPlan plan, CpuSlot?[] slots)
    {
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            if (chunk.Count != 1 || !chunk.Sample || slots[chunk.Slot]!.HasMediaAt(chunk.Start))
            {
                return false;
            }
        }
        return true;
    }

    private Entry? EntryFor(int count)
    {
        foreach (Entry entry in _entries)
        {
            if (entry.Layout.Rows >= count)
            {
                return entry;
            }
        }
        return null;
    }

    private sealed record Entry(StepLayout Layout, CudaGraph Graph);
}
