using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Status;
using MmCluster.Engine;
using MmCluster.Engine.Generation;
using MmCluster.Engine.Hosting;
using MmCluster.Models;
using MmCluster.Models.Cards;
using MmCluster.Tensors;
using MmCluster.Tokenizers;
using Orleans.Runtime.Placement;

namespace MmCluster.Cluster.Tests.Cluster;

/// <summary>Media output through the graph: signal tokens of the language model, a generator's grain, a file in the stream.</summary>
public sealed class GeneratorTests
{
    [Fact]
    public async Task Signal_tokens_bring_a_generators_file_before_the_end_of_their_choice()
    {
        (string cards, int[] ids, ModelRequest request) = await CardAsync();
        TestGenerators generators = new();
        await using (TestCluster cluster = await TestCluster.StartAsync(2, cards: cards, services: services => services.AddSingleton<IMediaGenerators>(generators)))
        {
            await cluster.DeployAsync(Painter);
            await cluster.UntilAsync(status => status.Stages.Count(stage => stage.State == StageState.Ready) == 3, "three stages are not ready");
            // Where it was put says nothing of other stages that its loading may call.
            Assert.Null(generators.HintWhileLoading);
            List<SequenceOutput> entries = await cluster.GenerateAsync("painter", request);
            SequenceOutput media = entries.First(entry => entry.Media is not null);
            Assert.Equal(("text/plain", $"{ids[0]},{ids[1]} seed 5 item 0"), (media.Media!.ContentType, Encoding.UTF8.GetString(media.Media.Bytes.Span)));
            Assert.Equal(0, media.TokenIds.Length);
            Assert.NotNull(entries[^1].Finish);
            Assert.Null(entries[^1].Media);
            Assert.Equal([Modality.Image], Assert.Single(cluster.Models.Models).Outputs);
            // Who wants text only gets the same text, and nothing is made for it.
            List<SequenceOutput> text = await cluster.GenerateAsync("painter", request with { Id = "text-only", OutputMedia = [] });
            Assert.DoesNotContain(text, entry => entry.Media is not null);
            Assert.Equal(TestCluster.Ids(entries)[0], TestCluster.Ids(text)[0]);
            await Eventually.TrueAsync(() => cluster.LeasedBytes == 0, () => $"{cluster.LeasedBytes} bytes are still leased");
        }
        Directory.Delete(cards, recursive: true);
    }

    [Fact]
    public async Task A_generator_that_fails_says_so_in_the_files_place_and_the_text_stands()
    {
        (string cards, _, ModelRequest request) = await CardAsync();
        TestGenerators generators = new() { Failure = new MmException(MmErrorCode.InvalidArgument, "nothing to paint") };
        await using (TestCluster cluster = await TestCluster.StartAsync(1, cards: cards, services: services => services.AddSingleton<IMediaGenerators>(generators)))
        {
            await cluster.DeployAsync(Painter);
            await cluster.UntilAsync(status => status.Stages.Count(stage => stage.State == StageState.Ready) == 3, "three stages are not ready");
            List<SequenceOutput> entries = await cluster.GenerateAsync("painter", request);
            SequenceOutput place = entries.First(entry => entry.Error is not null);
            Assert.Equal((MmErrorCode.InvalidArgument, null), (place.Error!.Code, place.Finish));
            Assert.True(entries[^1].Finish is FinishReason.Length or FinishReason.Stop);
        }
        Directory.Delete(cards, recursive: true);
    }

    [Fact]
    public async Task Steps_of_a_generator_reach_whoever_asked_for_progress()
    {
        (string cards, _, ModelRequest request) = await CardAsync();
        TestGenerators generators = new() { Steps = 3 };
        await using (TestCluster cluster = await TestCluster.StartAsync(1, cards: cards, services: services => services.AddSingleton<IMediaGenerators>(generators)))
        {
            await cluster.DeployAsync(Painter);
            await cluster.UntilAsync(status => status.Stages.Count(stage => stage.State == StageState.Ready) == 3, "three stages are not ready");
            List<string> told = [];
            generators.Go();
            await foreach (SequenceOutput entry in cluster.Models.GenerateAsync("painter", request with { ReportProgress = true }, TestContext.Current.CancellationToken))
            {
                if (entry.Progress is { Stage: RequestProgress.Generating } progress)
                {
                    told.Add($"{progress.Step}/{progress.Steps}");
                    generators.Go();
                }
                else if (entry.Media is not null)
                {
                    told.Add("made");
                }
            }
            Assert.Equal(["1/3", "2/3", "3/3", "made"], told);
        }
        Directory.Delete(cards, recursive: true);
    }

    [Fact]
    public async Task During_a_rollout_a_request_chooses_among_the_revisions_that_run()
    {
        (string cards, _, ModelRequest request) = await CardAsync();
        TestGenerators generators = new() { FreeLoads = 2 };
        await using (TestCluster cluster = await TestCluster.StartAsync(1, cards: cards, services: services => services.AddSingleton<IMediaGenerators>(generators)))
        {
            await cluster.DeployAsync(Painter with { Revision = "one" });
            await cluster.Models.DeployAsync(
                Painter with
                {
                    Revision = "two",
                    Components = new Dictionary<string, ComponentDeployment> { ["painter_decoder"] = new() { MinReplicas = 2 } },
                },
                TestContext.Current.CancellationToken);
            await Eventually.TrueAsync(() => cluster.Find("painter")!.Revisions.Count == 2, () => $"two revisions were expected: {cluster.Find("painter")!.Problem}");
            ClusterModel model = cluster.Find("painter")!;
            (string one, string two) = (model.Revisions[0], model.Revisions[1]);
            Assert.Equal((one, true, true), (model.Revision, one.StartsWith("one-", StringComparison.Ordinal), two.StartsWith("two-", StringComparison.Ordinal)));
            (long before1, long before2) = await FinishedAsync(cluster, one, two);
            foreach (string asked in (string[])["", one, "one", two, "two"])
            {
                await cluster.GenerateAsync("painter", request with { Id = $"to-{asked}", Revision = asked, OutputMedia = [] });
            }
            Assert.Equal((before1 + 3, before2 + 2), await FinishedAsync(cluster, one, two));
            MmException unknown = await Assert.ThrowsAsync<MmException>(() => cluster.GenerateAsync("painter", request with { Revision = "three" }));
            Assert.Equal((MmErrorCode.NotFound, "revision"), (unknown.Code, unknown.Param));
            Assert.Contains($"'three'; it runs in: {one}, {two}", unknown.Message, StringComparison.Ordinal);
            generators.FreeAll();
            await Eventually.TrueAsync(() => cluster.Find("painter")!.Revisions is [{ } only] && only == two, () => "the new revision does not serve alone");
        }
        Directory.Delete(cards, recursive: true);
    }

    private static async Task<(long One, long Two)> FinishedAsync(TestCluster cluster, string one, string two)
    {
        IReadOnlyList<StageStatus> stages = (await cluster.StatusAsync()).Stages;
        long Of(string revision) => stages.Single(stage => stage.Component == ModelDeployment.BackboneComponent && stage.Revision == revision).Load.Finished;
        return (Of(one), Of(two));
    }

    private static ModelDeployment Painter => new()
    {
        Name = "painter",
        Source = "painter",
        Dtype = DType.F32,
        Limits = new EngineLimits { MaxNumSeqs = 16, MaxNumBatchedTokens = 512 },
    };

    // A card whose signal is what the shipped model says at the end of its answer anyway.
    private static async Task<(string Cards, int[] Signal, ModelRequest Request)> CardAsync()
    {
        string folder = Path.Combine(TestCluster.ModelsFolder, "mini");
        string file = Path.Combine(TestCluster.ModelsFolder, "mini.yaml");
        ModelRequest request = new()
        {
            Input = new ModelInput.Tokens(Enumerable.Range(10, 20).ToArray()),
            Sampling = new SamplingParameters { Temperature = 0, MaxTokens = 40, IgnoreEos = true, Seed = 5 },
        };
        await using LocalModel model = LocalModel.Load(folder, new LocalModelOptions
        {
            Card = CardReader.Read(file),
            Load = new Models.Catalog.LoadOptions { Backbone = DType.F32 },
            Engine = new EngineOptions { MaxNumSeqs = 16, MaxNumBatchedTokens = 512 },
        });
        List<int> said = [];
        await foreach (SequenceOutput entry in model.GenerateAsync(request, TestContext.Current.CancellationToken))
        {
            said.AddRange(entry.TokenIds.ToArray());
        }
        Tokenizer tokenizer = model.Tokenizer!;
        int at = Enumerable.Range(1, said.Count - 1).First(i => said[i] != said[i - 1] && tokenizer.TokenOf(said[i]) is not null && tokenizer.TokenOf(said[i - 1]) is not null);
        int[] signal = [said[at - 1], said[at]];
        string cards = Directory.CreateTempSubdirectory("mm-cards-").FullName;
        Directory.CreateSymbolicLink(Path.Combine(cards, "mini"), folder);
        string card = (await File.ReadAllTextAsync(file)).Replace("name: mini", "name: painter", StringComparison.Ordinal) + $"""

              painter_projector:
                kind: output_projector
                network: test
                from: language_model
                layout: llava
                prefix: painter_projector
              painter_decoder:
                kind: generator
                modality: image
                network: test
                from: painter_projector
                layout: llava
                prefix: painter_decoder
                signal_tokens: {JsonSerializer.Serialize(signal.Select(id => tokenizer.TokenOf(id)))}
            """;
        await File.WriteAllTextAsync(Path.Combine(cards, "painter.yaml"), card);
        return (cards, signal, request);
    }

    /// <summary>Turns conditions into bytes.</summary>
    private sealed class TestGenerators : IMediaGenerators, IMediaGenerator
    {
        private readonly SemaphoreSlim _steps = new(0);
        private readonly ManualResetEventSlim _loading = new();
        private int _loads;

        public MmException? Failure { get; init; }

        /// <summary>Steps of an item; each waits for a <see cref="Go"/>, and so does the end.</summary>
        public int Steps { get; init; }

        /// <summary>Loads that do not wait for <see cref="FreeAll"/>.</summary>
        public int FreeLoads { get; init; } = int.MaxValue;

        public long Bytes => 1000;

        public object? HintWhileLoading { get; private set; }

        public void Go() => _steps.Release();

        public void FreeAll() => _loading.Set();

        public IMediaGenerator Load(string folder, ModelCard card, ComponentCard component, Device device)
        {
            HintWhileLoading = RequestContext.Get(IPlacementDirector.PlacementHintKey);
            if (Interlocked.Increment(ref _loads) > FreeLoads)
            {
                _loading.Wait();
            }
            return this;
        }

        public async Task<MediaOutput> GenerateAsync(GenerationCondition condition, IProgress<GenerationStep> progress, CancellationToken cancellationToken)
        {
            for (int step = 1; step <= Steps; step++)
            {
                await _steps.WaitAsync(cancellationToken);
                progress.Report(new GenerationStep(step, Steps));
            }
            await (Steps == 0 ? Task.CompletedTask : _steps.WaitAsync(cancellationToken));
            return Failure is null
                ? new MediaOutput(
                    "text/plain",
                    Encoding.UTF8.GetBytes($"{string.Join(',', condition.SignalTokens.ToArray())} seed {condition.Seed} item {condition.Index}"))
                : throw Failure;
        }

        public void Dispose()
        {
        }
    }
}
