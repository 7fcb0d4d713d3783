using System.Diagnostics;
using MmCluster.Engine.Hosting;
using MmCluster.Engine.Tests.Cpu;
using MmCluster.Models;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Engine.Tests.Cuda;

/// <summary>Tests that take all of a GPU, or break it: nothing else may run on it meanwhile.</summary>
[CollectionDefinition(nameof(CudaFaultTests), DisableParallelization = true)]
public sealed class CudaFaults;

/// <summary>Memory that runs out ends a request, a lost context ends the process's use of the GPU; neither hangs.</summary>
[Collection(nameof(CudaFaultTests))]
public sealed class CudaFaultTests
{
    private const string ChildVariable = "MM_TEST_BREAKS_THE_GPU";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_step_without_memory_ends_its_request_with_what_to_lower_and_the_engine_lives(int shards)
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        using TinyFolder folder = TinyFolder.Llama(heads: 3, kvHeads: 3);
        await using LocalModel model = Load(folder, shards);
        List<int> expected = await AnswerAsync(model);
        using (Filling.Of(Device.Cuda(0)))
        {
            MmException error = await Assert.ThrowsAsync<MmException>(() => AnswerAsync(model).WaitAsync(Patience, Stop));
            Assert.Equal(MmErrorCode.ResourceExhausted, error.Code);
            Assert.Contains("--gpu-memory-utilization", error.Message, StringComparison.Ordinal);
            Assert.Contains("--max-num-batched-tokens", error.Message, StringComparison.Ordinal);
        }
        Assert.Equal(expected, await AnswerAsync(model));
        Assert.False(model.DeviceLost.IsCompleted);
    }

    [Fact]
    public void A_step_too_large_for_the_gpu_is_refused_at_start()
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        using TinyFolder folder = TinyFolder.Llama(heads: 3, kvHeads: 3);
        CudaAllocator allocator = CudaContext.Get(Device.Cuda(0).Index).Allocator;
        using (Filling.Of(Device.Cuda(0), spare: 8 << 20))
        {
            long before = allocator.Allocated;
            ArgumentException error = Assert.Throws<ArgumentException>(() => Load(folder, shards: 1));
            Assert.Contains("--max-num-batched-tokens", error.Message, StringComparison.Ordinal);
            Assert.Equal(before, allocator.Allocated);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_lost_context_ends_every_request_and_is_told(int shards)
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        string runner = typeof(CudaFaultTests).Assembly.Location;
        ProcessStartInfo start = new(Environment.ProcessPath!, Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet" ? [runner] : [])
        {
            ArgumentList = { "-method", $"*{nameof(Child_that_breaks_its_gpu)}*" },
            Environment = { [ChildVariable] = $"{shards}" },
            RedirectStandardOutput = true,
        };
        using Process child = Process.Start(start)!;
        string output = await child.StandardOutput.ReadToEndAsync(Stop);
        await child.WaitForExitAsync(Stop).WaitAsync(TimeSpan.FromMinutes(2), Stop);
        Assert.True(child.ExitCode == 0 && output.Contains("Total: 1", StringComparison.Ordinal) && output.Contains("Skipped: 0", StringComparison.Ordinal), output);
    }

    /// <summary>Runs only as the child of the test above.</summary>
    [Fact]
    public async Task Child_that_breaks_its_gpu()
    {
        string? shards = Environment.GetEnvironmentVariable(ChildVariable);
        Assert.SkipWhen(shards is null, "runs in a process of its own");
        using TinyFolder folder = TinyFolder.Llama(heads: 3, kvHeads: 3);
        Device gpu = Device.Cuda(0);
        LocalModel model = Load(folder, int.Parse(shards));
        await AnswerAsync(model);
        Assert.False(gpu.Lost.IsCompleted);
        Task<List<int>> running = AnswerAsync(model, 400);
        CudaException sticky = Assert.Throws<CudaException>(() => ReadFarAway(gpu));
        Assert.True(sticky.IsSticky, sticky.Message);
        // The engine's thread may have seen it first.
        Exception lost = await gpu.Lost.WaitAsync(Patience, Stop);
        Assert.True(lost is CudaException { IsSticky: true }, $"{lost}");
        Assert.Same(lost, await model.DeviceLost);
        // It may have ended just before.
        Exception? ended = await Record.ExceptionAsync(() => running.WaitAsync(Patience, Stop));
        Assert.True(ended is null or MmException { Code: MmErrorCode.Unavailable }, $"{ended}");
        MmException error = await Assert.ThrowsAsync<MmException>(() => AnswerAsync(model).WaitAsync(Patience, Stop));
        Assert.Equal(MmErrorCode.Unavailable, error.Code);
        Assert.Contains("restarted", error.Message, StringComparison.Ordinal);
        await model.DisposeAsync().AsTask().WaitAsync(Patience, Stop);
    }

    private static void ReadFarAway(Device gpu)
    {
        using var scope = new TensorScope();
        Tensor table = Tensor.Zeros([4, 65536], DType.F32, gpu);
        Tensor row = Tensor.Full([1], 1 << 29, DType.I32, gpu);
        table.IndexSelect(0, row);
        CudaContext.Get(gpu.Index).Stream.Synchronize();
    }

    private static LocalModel Load(TinyFolder folder, int shards) => LocalModel.Load(folder.Path, new LocalModelOptions
    {
        Load = new LoadOptions { Backbone = DType.F32, Device = Device.Cuda(0) },
        Executor = new ExecutorOptions { KvCacheBytes = 16 << 20 },
        PipelineShards = shards,
        Engine = new EngineOptions { MaxNumSeqs = 8, MaxNumBatchedTokens = 2048 },
    });

    private static async Task<List<int>> AnswerAsync(LocalModel model, int count = 8)
    {
        ModelRequest request = new()
        {
            Input = new ModelInput.Tokens(Enumerable.Range(0, 100).ToArray()),
            Sampling = new SamplingParameters { MaxTokens = count, Temperature = 0, IgnoreEos = true },
        };
        List<int> ids = [];
        await foreach (SequenceOutput output in model.GenerateAsync(request, Stop))
        {
            ids.AddRange(output.Error is { } error ? throw error : output.TokenIds.Span);
        }
        return ids;
    }

    /// <summary>Takes what is free of a GPU, down to the smallest pieces.</summary>
    private sealed class Filling : IDisposable
    {
        private readonly List<Tensor> _taken = [];

        public static Filling Of(Device gpu, long spare = 0)
        {
            Filling filling = new();
            CudaContext context = CudaContext.Get(gpu.Index);
            context.Allocator.ReleaseCached();
            using Tensor? kept = spare > 0 ? Tensor.Empty([(int)spare], DType.U8, gpu) : null;
            for (int bytes = 1 << 30; bytes >= 512; bytes /= 2)
            {
                try
                {
                    while (true)
                    {
                        filling._taken.Add(Tensor.Empty([bytes], DType.U8, gpu));
                    }
                }
                catch (InsufficientMemoryException)
                {
                    // The next smaller size.
                }
            }
            return filling;
        }

        public void Dispose()
        {
            _taken.ForEach(tensor => tensor.Dispose());
            CudaContext.Get(0).Allocator.ReleaseCached();
        }
    }
}
