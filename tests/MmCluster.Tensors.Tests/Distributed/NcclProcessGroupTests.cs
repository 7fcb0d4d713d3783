using MmCluster.Tensors.Cuda;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Tests.Distributed;

/// <summary>What can be seen without a GPU: the error that says what to install.</summary>
public sealed class NcclLibraryTests
{
    [Fact]
    public void A_missing_library_is_named_with_what_brings_it()
    {
        string message = CudaLibraries.Missing(Nccl.Library);
        Assert.StartsWith("cuda: libnccl.so.2 was not found; looked in the loader's path", message, StringComparison.Ordinal);
        Assert.EndsWith("install NCCL (libnccl2, or pip's nvidia-nccl-cu13 or nvidia-nccl-cu12)", message, StringComparison.Ordinal);
    }
}

/// <summary>Groups over NCCL: of one rank on one GPU, of all ranks that there are GPUs for.</summary>
[Collection(CudaTests.Name)]
public sealed class NcclProcessGroupTests
{
    private readonly Device _gpu = CudaTests.Require();
    private readonly CudaContext _context = CudaContext.Get(0);

    public NcclProcessGroupTests() => Assert.SkipWhen(!CudaLibraries.Has(Nccl.Library), "no NCCL");

    [Theory]
    [InlineData(DType.F32, false)]
    [InlineData(DType.BF16, false)]
    [InlineData(DType.F16, false)]
    [InlineData(DType.BF16, true)]
    public void One_rank_gets_its_own_values_back(DType type, bool deterministic)
    {
        _context.Deterministic = deterministic;
        try
        {
            IReadOnlyList<ProcessGroup> groups = ProcessGroup.Create(_gpu, 1);
            using Tensor values = Tensor.Arange(1000, dtype: DType.F32);
            using Tensor x = values.To(_gpu).To(type);
            using Tensor gathered = Tensor.Zeros([1, 1000], type, _gpu);
            float[] expected = x.To(DType.F32).ToArray<float>();
            groups[0].AllReduce(x);
            groups[0].AllGather(x, gathered);
            groups[0].Check();
            Assert.Equal(expected, x.To(DType.F32).ToArray<float>());
            Assert.Equal(expected, gathered.To(DType.F32).ToArray<float>());
            ProcessGroup.Close(groups);
            Assert.False(groups[0].Lost.IsCompleted);
        }
        finally
        {
            _context.Deterministic = false;
        }
    }

    [Fact]
    public void Sums_can_be_recorded_in_a_graph_and_replayed()
    {
        IReadOnlyList<ProcessGroup> groups = ProcessGroup.Create(_gpu, 1);
        using (var scope = new TensorScope())
        {
            using var stream = new CudaStream(_context);
            using CudaContext.StreamScope current = _context.Use(stream);
            using CudaMemoryPool pool = _context.Allocator.CreatePool();
            Tensor input = Tensor.Zeros([4096], device: _gpu);
            Tensor output = Tensor.Zeros([1, 4096], device: _gpu);
            Work();
            using CudaGraph graph = stream.Capture(pool, Work);
            graph.Upload(stream);
            foreach (float value in new[] { 5f, 7 })
            {
                input.CopyFrom(Tensor.Full([4096], value, device: _gpu));
                graph.Launch(stream);
                Assert.Equal((value * 2) + 1, output.ToArray<float>()[4095]);
            }

            void Work()
            {
                using Tensor doubled = input * 2;
                groups[0].AllReduce(doubled);
                doubled.Add(1, doubled);
                groups[0].AllGather(doubled, output);
            }
        }
        ProcessGroup.Close(groups);
    }

    [Fact]
    public void An_aborted_group_works_again_when_its_graphs_are_gone()
    {
        IReadOnlyList<ProcessGroup> groups = ProcessGroup.Create(_gpu, 1);
        using Tensor x = Tensor.Ones([64], device: _gpu);
        using (var stream = new CudaStream(_context))
        {
            using CudaContext.StreamScope current = _context.Use(stream);
            using CudaMemoryPool pool = _context.Allocator.CreatePool();
            for (int round = 0; round < 3; round++)
            {
                groups[0].AllReduce(x);
                using (CudaGraph graph = stream.Capture(pool, () => groups[0].AllReduce(x)))
                {
                    graph.Launch(stream);
                    groups[0].Abort(new InvalidOperationException("no way on"));
                    Assert.True(Assert.Throws<CollectiveException>(() => groups[0].AllReduce(x)).IsAborted);
                    Assert.True(Assert.Throws<CollectiveException>(groups[0].Check).IsAborted);
                    stream.Synchronize();
                }
                groups[0].Restore();
                groups[0].Check();
            }
        }
        Assert.Equal(1, x.ToArray<float>()[63]);
        ProcessGroup.Close(groups);
        Assert.False(groups[0].Lost.IsCompleted);
    }

    [Fact]
    public void What_the_library_does_not_take_is_refused()
    {
        IReadOnlyList<ProcessGroup> groups = ProcessGroup.Create(_gpu, 1);
        using Tensor whole = Tensor.Zeros([4, 4], device: _gpu);
        using Tensor columns = whole.Slice(1, 0, 2);
        using Tensor ids = Tensor.Zeros([4], DType.I32, _gpu);
        using Tensor near = Tensor.Zeros([4]);
        Assert.Contains("dense", Assert.Throws<ArgumentException>(() => groups[0].AllReduce(columns)).Message, StringComparison.Ordinal);
        Assert.Contains("I32", Assert.Throws<ArgumentException>(() => groups[0].AllReduce(ids)).Message, StringComparison.Ordinal);
        Assert.Contains("rank 0 is on cuda:0", Assert.Throws<ArgumentException>(() => groups[0].AllReduce(near)).Message, StringComparison.Ordinal);
        ProcessGroup.Close(groups);
    }

    [Fact]
    public void More_ranks_than_gpus_are_refused_with_both_numbers()
    {
        int ranks = Device.CudaCount + 1;
        ArgumentException error = Assert.Throws<ArgumentException>(() => ProcessGroup.Create(_gpu, ranks));
        Assert.Contains($"{ranks} ranks from cuda:0 on need as many GPUs; this process sees {Device.CudaCount}", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void All_gpus_get_the_sum(bool deterministic)
    {
        Assert.SkipWhen(Device.CudaCount < 2, "one GPU");
        int ranks = Device.CudaCount;
        float[][] got = ProcessGroupTests.Run(ProcessGroup.Create(_gpu, ranks), group =>
        {
            Device own = Device.Cuda(group.Rank);
            CudaContext.Get(group.Rank).Deterministic = deterministic;
            using Tensor x = Tensor.Full([5000], group.Rank + 1, device: own);
            using Tensor all = Tensor.Zeros([ranks, 5000], device: own);
            for (int i = 0; i < 50; i++)
            {
                group.AllGather(x, all);
                group.AllReduce(x);
                using Tensor scaled = x * (1f / ranks);
                x.CopyFrom(scaled);
            }
            CudaContext.Get(group.Rank).Deterministic = false;
            return x.ToArray<float>();
        });
        Assert.All(got, x => Assert.All(x, value => Assert.Equal((ranks + 1) / 2f, value, 1e-4f)));
    }
}
