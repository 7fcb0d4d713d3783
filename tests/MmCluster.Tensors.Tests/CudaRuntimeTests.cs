using MmCluster.Tensors.Cuda;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Tests;

/// <summary>Memory, streams and graphs of a GPU.</summary>
[Collection(CudaTests.Name)]
public sealed class CudaRuntimeTests
{
    private readonly Device _device = CudaTests.Require();
    private readonly CudaContext _context = CudaContext.Get(0);

    [Fact]
    public void A_freed_block_is_used_again_by_its_stream_only()
    {
        CudaAllocator allocator = _context.Allocator;
        CudaBlock block = allocator.Allocate(12_345_678);
        nint address = block.Address;
        block.Free();
        using var stream = new CudaStream(_context);
        using (_context.Use(stream))
        {
            CudaBlock other = allocator.Allocate(12_345_678);
            Assert.NotEqual(address, other.Address);
            other.Free();
        }

        CudaBlock again = allocator.Allocate(12_345_678);
        Assert.Equal(address, again.Address);
        again.Free();
    }

    [Fact]
    public void A_block_that_another_stream_uses_waits_for_it()
    {
        using var stream = new CudaStream(_context);
        var tensor = Tensor.Zeros([9_000_001], device: _device);
        nint address;
        unsafe
        {
            address = (nint)tensor.Data;
        }

        _context.Allocator.RecordUse(tensor, stream);
        tensor.Dispose();
        stream.Synchronize(); // its event is done, so the next allocation takes the block back
        CudaBlock again = _context.Allocator.Allocate(36_000_004);
        Assert.Equal(address, again.Address);
        again.Free();
    }

    [Fact]
    public void More_memory_than_there_is_is_refused_and_the_device_goes_on()
    {
        long reserved = _context.Allocator.Reserved;
        Assert.Throws<InsufficientMemoryException>(() => _context.Allocator.Allocate(1L << 50));
        Assert.True(_context.Allocator.Reserved <= reserved);
        Assert.Equal([2f, 2], Tensor.Full([2], 2, device: _device).ToArray<float>());
    }

    [Fact]
    public void Statistics_count_what_is_in_use()
    {
        CudaAllocator allocator = _context.Allocator;
        allocator.ReleaseCached();
        long before = allocator.Allocated;
        allocator.ResetPeak();
        CudaBlock block = allocator.Allocate(1 << 20);
        Assert.Equal(before + (1 << 20), allocator.Allocated);
        block.Free();
        Assert.Equal(before, allocator.Allocated);
        Assert.Equal(before + (1 << 20), allocator.Peak);
    }

    [Fact]
    public void A_smaller_block_is_cut_from_nothing_new_where_one_near_its_size_is_free()
    {
        using var stream = new CudaStream(_context);
        using CudaContext.StreamScope use = _context.Use(stream);
        CudaAllocator allocator = _context.Allocator;
        nint[] large = Taken(64 << 20, 48 << 20, 16 << 20);
        Assert.Equal([large[1], large[2], large[0]], Taken(40 << 20, 10 << 20, 33 << 20)); // each the smallest that it fits
        long reserved = allocator.Reserved;
        CudaBlock kept = allocator.Allocate(40 << 20, keeps: true);
        CudaBlock small = allocator.Allocate(1 << 20);
        Assert.Equal(reserved + (41 << 20), allocator.Reserved); // a model's own, and one that the free ones are much too large for
        kept.Free();
        small.Free();
        allocator.ReleaseCached();

        nint[] Taken(params int[] sizes)
        {
            CudaBlock[] blocks = [.. sizes.Select(bytes => allocator.Allocate(bytes))];
            Array.ForEach(blocks, block => block.Free());
            return [.. blocks.Select(block => block.Address)];
        }
    }

    [Fact]
    public void A_graph_reads_its_inputs_where_they_lay()
    {
        using var stream = new CudaStream(_context);
        using CudaMemoryPool pool = _context.Allocator.CreatePool();
        using CudaContext.StreamScope use = _context.Use(stream);
        using var scope = new TensorScope();
        Tensor input = Tensor.Full([1000], 3, device: _device);
        Tensor output = Tensor.Zeros([1000], device: _device);
        using LinearWeight weight = LinearWeight.Pack(Reference.Random([64, 1000], 1), DType.F32, _device);
        Tensor row = Tensor.Zeros([1, 64], device: _device);
        Work();
        using CudaGraph graph = stream.Capture(pool, Work);
        Assert.True(graph.Nodes >= 3);
        Assert.True(pool.Reserved > 0);
        graph.Upload(stream);
        foreach (float value in new[] { 5f, 7 })
        {
            input.CopyFrom(Tensor.Full([1000], value, device: _device));
            graph.Launch(stream);
            Assert.Equal((value * 2) + 1, output.ToArray<float>()[999]);
            Assert.Equal(output.Unsqueeze(0).Linear(weight).ToArray<float>()[63], row.ToArray<float>()[63], 1e-2f);
        }

        void Work()
        {
            using Tensor doubled = input * 2;
            doubled.Add(1, output);
            using Tensor one = output.Unsqueeze(0);
            one.Linear(weight, output: row);
        }
    }

    [Theory, InlineData(0), InlineData(1), InlineData(257), InlineData(70_001)] // the last by a copy engine, the others by a kernel
    public unsafe void Words_come_from_pinned_memory_and_go_back_in_the_streams_order(int count)
    {
        using var stream = new CudaStream(_context);
        using CudaContext.StreamScope use = _context.Use(stream);
        long bytes = (long)count * sizeof(int);
        using var source = new PinnedBuffer(_context, bytes);
        using var target = new PinnedBuffer(_context, bytes + sizeof(int));
        target.Span<int>(0, count + 1).Fill(-1);
        using Tensor there = Tensor.Zeros([count + 1], DType.I32, _device);
        for (int round = 1; round <= 3; round++)
        {
            for (int i = 0; i < count; i++)
            {
                source.Span<int>(0, count)[i] = i * round;
            }

            stream.CopyWords(source.Address, there.Data, bytes);
            stream.CopyWords(there.Data, target.Address, bytes);
            stream.Synchronize();
            Assert.Equal([.. Enumerable.Range(0, count).Select(i => i * round), -1], target.Span<int>(0, count + 1).ToArray());
        }
    }

    [Fact]
    public void Errors_name_the_call_and_whether_the_context_is_lost()
    {
        CudaException error = Assert.Throws<CudaException>(() => _context.Kernels["elements", "copy"].Launch(_context.Stream, 1, 4096, 0, 1, 0L, 0L));
        Assert.Contains("launch of copy", error.Message, StringComparison.Ordinal);
        Assert.Contains("CUDA_ERROR_INVALID_VALUE", error.Message, StringComparison.Ordinal);
        Assert.False(error.IsSticky);
        Assert.Contains("no kernel 'missing'", Assert.Throws<ArgumentException>(() => _context.Kernels["elements", "missing"]).Message, StringComparison.Ordinal);
    }
}
