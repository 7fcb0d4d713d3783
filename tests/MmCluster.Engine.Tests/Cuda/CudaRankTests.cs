using MmCluster.Engine.Hosting;
using MmCluster.Engine.TensorParallel;
using MmCluster.Engine.Tests.Cpu;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Engine.Tests.TensorParallel;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Engine.Tests.Cuda;

/// <summary>Ranks on GPUs say what one processor says.</summary>
public sealed class CudaRankTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void Two_ranks_on_one_gpu_give_the_ids_of_the_processor()
    {
        Assert.SkipWhen(Device.CudaCount == 0, "no GPU");
        // NCCL takes no two ranks on one GPU. These meet in the process, which no graph can hold.
        Compare(folder => new RankedModel(folder, LocalProcessGroup.Create(2), Device.Cuda(0)) { EnforceEager = true });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_rank_over_nccl_gives_the_ids_of_the_processor(bool eager)
    {
        SkipWithoutNccl(gpus: 1);
        Compare(folder => new RankedModel(folder, ProcessGroup.Create(Device.Cuda(0), 1), Device.Cuda(0)) { EnforceEager = eager });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_step_that_fails_over_nccl_is_replayed_over_new_communicators(bool eager)
    {
        SkipWithoutNccl(gpus: 1);
        using TinyFolder folder = TinyFolder.Llama(heads: 3, kvHeads: 3); // heads of 16
        IReadOnlyList<ProcessGroup> groups = ProcessGroup.Create(Device.Cuda(0), 1);
        using (RankedModel model = new(folder.Path, groups, Device.Cuda(0)) { EnforceEager = eager })
        {
            List<int> expected = Answer(model, failures: 0, (executor, _) => executor);
            Assert.Equal(expected, Answer(model, failures: 1, (executor, _) => new RankFailureTests.FailingRank(executor, at: 7, early: false)));
            Assert.Equal(expected, Answer(model, failures: 1, (executor, _) => new RankFailureTests.FailingRank(executor, at: 9, early: true)));
            Assert.False(groups[0].Lost.IsCompleted);
        }
        using Tensor alive = Tensor.Ones([3], device: Device.Cuda(0));
        Assert.Equal([1f, 1, 1], alive.ToArray<float>());
    }

    [Fact]
    public async Task Ranks_whose_graphs_cannot_be_made_anew_lose_the_model()
    {
        SkipWithoutNccl(gpus: 1);
        using TinyFolder folder = TinyFolder.Llama(heads: 3, kvHeads: 3);
        IReadOnlyList<ProcessGroup> groups = ProcessGroup.Create(Device.Cuda(0), 1);
        using RankedModel model = new(folder.Path, groups, Device.Cuda(0));
        using EngineDriver driver = model.Drive(new EngineOptions { MaxNumSeqs = 8, MaxNumBatchedTokens = 256 }, 64, (_, executor) => new RankFailureTests.FailingRank(executor, at: 7, early: false) { ComesBack = false });
        driver.Submit(Requests.Of("r", Requests.Prompt(20), 30, sampling => sampling with { IgnoreEos = true }));
        driver.RunToEnd();
        Assert.Equal(FinishReason.Error, driver.Results[("r", 0)].Finish);
        Assert.Contains("has to be loaded again", (await groups[0].Lost).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Two_gpus_give_the_ids_of_the_processor(bool eager)
    {
        SkipWithoutNccl(gpus: 2);
        using TinyFolder folder = TinyFolder.Llama(hidden: 64, heads: 4, kvHeads: 2);
        List<int>[] expected = await AnswersAsync(folder, Device.Cpu, ranks: 1, eager);
        Assert.Equal(expected, await AnswersAsync(folder, Device.Cuda(0), ranks: 2, eager));
    }

    private static List<int> Answer(RankedModel model, int failures, Func<IRankExecutor, int, IRankExecutor> wrap)
    {
        using EngineDriver driver = model.Drive(new EngineOptions { MaxNumSeqs = 8, MaxNumBatchedTokens = 256 }, 64, (rank, executor) => wrap(executor, rank));
        driver.Submit(Requests.Of("r", Requests.Prompt(20), 30, sampling => sampling with { IgnoreEos = true }));
        driver.RunToEnd();
        Assert.Equal(failures, driver.Core.Statistics.FailedSteps);
        Assert.Equal(FinishReason.Length, driver.Results[("r", 0)].Finish);
        return driver.Results[("r", 0)].Tokens;
    }

    private static void Compare(Func<string, RankedModel> load)
    {
        using TinyFolder folder = TinyFolder.Llama(hidden: 64, heads: 4, kvHeads: 2); // heads of 16
        using RankedModel processor = new(folder.Path, 1);
        Dictionary<(string, int), List<int>> expected = TensorParallelTests.Run(processor, "batched");
        using RankedModel model = load(folder.Path);
        foreach (string way in (string[])["batched", "chunked", "preempted", "cached"])
        {
            Assert.All(TensorParallelTests.Run(model, way), pair => Assert.Equal(expected[pair.Key], pair.Value));
        }
    }

    private static async Task<List<int>[]> AnswersAsync(TinyFolder folder, Device device, int ranks, bool eager)
    {
        await using LocalModel model = LocalModel.Load(folder.Path, new LocalModelOptions
        {
            Load = new LoadOptions { Backbone = DType.F32, Device = device },
            Executor = new ExecutorOptions { KvCacheBytes = 64L << 20, EnforceEager = eager },
            TensorRanks = ranks,
            Engine = new EngineOptions { MaxNumSeqs = 11, MaxNumBatchedTokens = 64 },
        });
        List<int>[] answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => AnswerAsync(model, i)));
        Assert.False(model.DeviceLost.IsCompleted);
        return answers;
    }

    private static async Task<List<int>> AnswerAsync(LocalModel model, int i)
    {
        ModelRequest request = new()
        {
            Input = new ModelInput.Tokens(Requests.Prompt(5 + (7 * i), i)),
            Sampling = new SamplingParameters { MaxTokens = 20 + i, Temperature = i % 2 * 0.8f, Seed = (ulong)i, IgnoreEos = true },
        };
        List<int> ids = [];
        await foreach (SequenceOutput output in model.GenerateAsync(request, Stop))
        {
            ids.AddRange(output.Error is { } error ? throw error : output.TokenIds.Span);
        }
        return ids;
    }

    private static void SkipWithoutNccl(int gpus)
    {
        Assert.SkipWhen(Device.CudaCount < gpus, $"{Device.CudaCount} of {gpus} GPUs");
        Assert.SkipWhen(!CudaLibraries.Has(Nccl.Library), "no NCCL");
    }
}
