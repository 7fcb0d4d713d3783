using MmCluster.Engine.Cuda;
using MmCluster.Engine.Hosting;
using MmCluster.Engine.Tests.Cpu;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Tests.Cuda;

/// <summary>What a model takes of a GPU is what its node's ledger says, and goes with it. Nothing else may run on the GPU meanwhile.</summary>
[Collection(nameof(CudaFaultTests))]
public sealed class CudaMemoryTests
{
    // What finalizers give back late, and the driver's own, such as code that it loads late; a model's scratch memory alone is 70 MiB.
    private const long Slack = 4L << 20;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_model_that_comes_and_goes_leaves_nothing_behind(int shards)
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        using TinyFolder text = TinyFolder.Llama(heads: 3, kvHeads: 3); // heads of 16
        using TinyFolder pictures = TinyFolder.Llava();
        await RoundAsync(text, pictures, shards); // kernels, libraries and pinned memory of the process stay
        await RoundAsync(text, pictures, shards);
        Use before = Use.Now();
        for (int i = 0; i < 20; i++)
        {
            await RoundAsync(text, pictures, shards);
        }
        Use after = Use.Now();
        Assert.Equal(before.Allocated, after.Allocated);
        Assert.InRange(after.Reserved - before.Reserved, -Slack, Slack);
        Assert.InRange(after.Device - before.Device, -Slack, Slack);
    }

    [Theory]
    [InlineData(DType.BF16, false)]
    [InlineData(DType.BF16, true)]
    [InlineData(DType.F8E4M3, false)]
    public void The_ledgers_figure_is_the_devices(DType type, bool eager)
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        Assert.SkipWhen(type == DType.F8E4M3 && CudaContext.Get(0).Properties is not ({ Major: >= 9 } or { Major: 8, Minor: 9 }), "no F8E4M3");
        using TinyFolder folder = TinyFolder.LlamaShape(vocabulary: 32000, layers: 12, hidden: 2048, heads: 16, kvHeads: 16, intermediate: 5504);
        Serve(folder, type, eager); // kernels, libraries and pinned memory of the process stay
        long before = Use.Now().Device;
        (long ledger, long device) = Serve(folder, type, eager);
        device -= before;
        Assert.True(ledger > 0.95 * device && ledger < 1.05 * device, $"ledger {ledger >> 20} MiB, device {device >> 20} MiB");
    }

    // The ledger's figure, and what is taken of the GPU when steps of all kinds have run.
    private static (long Ledger, long Device) Serve(TinyFolder folder, DType type, bool eager)
    {
        LoadOptions load = new() { Backbone = type, Format = LoadFormat.Dummy, Device = Device.Cuda(0), Components = component => component.Kind == ComponentKind.Backbone };
        using LocalBackbone backbone = LocalBackbone.Load(folder.Path, load, BackboneSplit.None);
        IModelExecutor executor = backbone.CreateExecutor(new ExecutorOptions { MaxSlots = 32, MaxBatchedTokens = 4096, KvCacheBytes = 1L << 30, EnforceEager = eager });
        using EngineDriver driver = new(executor, new EngineOptions { MaxNumSeqs = 32, MaxNumBatchedTokens = 4096, EnablePrefixCaching = false });
        long ledger = backbone.HeldBytes + Executors.BytesOf(executor);
        for (int i = 0; i < 40; i++)
        {
            driver.Submit(Requests.Of($"r{i}", Requests.Prompt(20 + (11 * i), i), 10 + i, sampling => sampling with { IgnoreEos = true, Seed = (ulong)i }));
        }
        driver.RunToEnd();
        Assert.Equal(0, driver.Core.Statistics.FailedSteps);
        Use use = Use.Now();
        TestContext.Current.SendDiagnosticMessage(
            $"{type}, eager {eager}: weights {backbone.HeldBytes >> 20}, {((CudaExecutor)executor).Memory}, allocated {use.Allocated >> 20}, reserved {use.Reserved >> 20}, device {use.Device >> 20}");
        return (ledger, use.Device);
    }

    private static async Task RoundAsync(TinyFolder text, TinyFolder pictures, int shards)
    {
        await using LocalModel one = Load(text, shards);
        await using LocalModel other = Load(pictures, shards);
        await AnswerAsync(one, new ModelInput.Tokens(Requests.Prompt(300)));
        await AnswerAsync(other, ModelInput.Chat.FromUser("What is this?", new MediaItem(Modality.Image, TinyFolder.Picture(200, 10, 10), "picture")));
    }

    private static LocalModel Load(TinyFolder folder, int shards) => LocalModel.Load(folder.Path, new LocalModelOptions
    {
        Load = new LoadOptions { Backbone = DType.BF16, Device = Device.Cuda(0) },
        Executor = new ExecutorOptions { KvCacheBytes = 16 << 20 },
        PipelineShards = shards,
        Engine = new EngineOptions { MaxNumSeqs = 4, MaxNumBatchedTokens = 256 },
    });

    private static async Task AnswerAsync(LocalModel model, ModelInput input)
    {
        ModelRequest request = new() { Input = input, Sampling = new SamplingParameters { MaxTokens = 8, Temperature = 0, IgnoreEos = true, PresencePenalty = 0.5f } };
        await foreach (SequenceOutput output in model.GenerateAsync(request, Stop))
        {
            Assert.Null(output.Error);
        }
    }

    /// <summary>Bytes that the allocator has given out and has taken, and that are taken of the GPU.</summary>
    private readonly record struct Use(long Allocated, long Reserved, long Device)
    {
        // What other tests have left to finalizers is gone first.
        public static Use Now()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            CudaContext context = CudaContext.Get(0);
            (long free, long total) = context.Memory();
            return new Use(context.Allocator.Allocated, context.Allocator.Reserved, total - free);
        }
    }
}
