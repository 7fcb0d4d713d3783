using System.Globalization;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Status;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.Cluster;

/// <summary>
/// Silos of stages are killed at moments that a seed chooses: while requests are queued, encoded, prefilled or decoded, while they replay, while a lost stage comes up
/// anew. Every stream must end with the text that it would have had, and nothing may stay behind. MM_KILL_CASES sets the number of cases (default 2), MM_KILL_SEED the
/// first one's seed: a long run is `MM_KILL_CASES=200 dotnet MmCluster.Cluster.Tests.dll -class '*KillSchedule*'`.
/// </summary>
public sealed class KillScheduleTests
{
    private const int Streams = 12;
    private const int Tokens = 48;
    private const int Silos = 4;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private static readonly byte[] Picture = File.ReadAllBytes(Directory.EnumerateFiles(Path.Combine(TestCluster.ModelsFolder, "mini", "demo"), "*.png").Order().First());

    /// <summary>When a silo is killed.</summary>
    private enum Moment
    {
        /// <summary>At once.</summary>
        Submitted,

        /// <summary>An encoder or a backbone has taken something in.</summary>
        Queued,

        /// <summary>A backbone runs something.</summary>
        Running,

        /// <summary>The first tokens are there.</summary>
        Prefilled,

        /// <summary>Some share of all tokens is there.</summary>
        Decoding,

        /// <summary>A stage is being loaded, such as one that was lost.</summary>
        Loading,
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Streams_end_with_their_text_whenever_silos_are_killed()
    {
        int cases = int.Parse(Environment.GetEnvironmentVariable("MM_KILL_CASES") ?? "2", CultureInfo.InvariantCulture);
        int first = int.Parse(Environment.GetEnvironmentVariable("MM_KILL_SEED") ?? "1", CultureInfo.InvariantCulture);
        string[] expected = await AloneAsync();
        for (int seed = first; seed < first + cases; seed++)
        {
            Random random = new(seed);
            // A request survives two lost replicas, so no more silos are killed.
            Kill[] kills = [.. Enumerable.Range(0, random.Next(1, 3)).Select(i => Kill.Of(random, isFirst: i == 0))];
            string told = $"seed {seed}: {string.Join(", then ", kills.Select(kill => kill.ToString()))}";
            try
            {
                await RunAsync(kills, expected).WaitAsync(Patience, Stop);
                TestContext.Current.TestOutputHelper?.WriteLine(told);
            }
            catch (Exception error) when (!Stop.IsCancellationRequested)
            {
                throw new InvalidOperationException(told, error);
            }
        }
    }

    private static async Task RunAsync(Kill[] kills, string[] expected)
    {
        await using TestCluster cluster = await TestCluster.StartAsync(Silos);
        await cluster.DeployAsync(new ModelDeployment
        {
            Name = "mini",
            Source = "mini",
            Dtype = DType.F32,
            Limits = new EngineLimits { MaxNumSeqs = 16, MaxNumBatchedTokens = 256 },
            Components = new Dictionary<string, ComponentDeployment>
            {
                ["vision_tower"] = new() { MinReplicas = 2 },
                [ModelDeployment.BackboneComponent] = new() { MinReplicas = 2 },
            },
        });
        await cluster.UntilAsync(AreReady, "the stages are not ready");
        int tokens = 0;
        Task<string>[] streams = [.. Enumerable.Range(0, Streams).Select(i => ReadAsync(cluster, i, count => Interlocked.Add(ref tokens, count)))];
        Task all = Task.WhenAll(streams);
        foreach (Kill kill in kills)
        {
            ClusterStatus status = await cluster.StatusAsync();
            while (!kill.IsDue(status, Volatile.Read(ref tokens)) && !all.IsCompleted)
            {
                status = await cluster.StatusAsync();
            }
            StageStatus[] targets = [.. status.Stages.Where(stage => kill.Moment != Moment.Loading || stage.State == StageState.Loading)];
            // What the status tells may have been killed since.
            if (targets.Length > 0 && cluster.TrySiloOf(targets[kill.Choice % targets.Length].Node) is { } silo)
            {
                await cluster.KillAsync(silo);
            }
        }
        for (int i = 0; i < Streams; i++)
        {
            Assert.Equal(expected[i], await streams[i]);
        }
        await cluster.UntilAsync(AreReady, "a lost stage is not replaced");
        await cluster.UntilAsync(status => status.Stages.All(stage => stage.Load is { QueueUsed: 0, CacheHeld: 0 }), "a queue is not empty");
        await Eventually.TrueAsync(() => cluster.LeasedBytes == 0, () => $"{cluster.LeasedBytes} bytes are still leased");
    }

    private static bool AreReady(ClusterStatus status) => status.Stages.Count == 4 && status.Stages.All(stage => stage.State == StageState.Ready);

    private static async Task<string> ReadAsync(TestCluster cluster, int i, Action<int> seen)
    {
        string text = "";
        await foreach (SequenceOutput entry in cluster.Models.GenerateAsync("mini", Ask(i), Stop))
        {
            Assert.Null(entry.Error);
            text += entry.Text;
            seen(entry.TokenIds.Length);
        }
        return text;
    }

    // Every other one has a picture, each in other bytes, so that no two share an encoder's work: a PNG may be followed by anything.
    private static ModelRequest Ask(int i) => new()
    {
        Id = $"r{i}",
        Input = i % 2 == 0
            ? ModelInput.Chat.FromUser($"What is in picture {i}?", new MediaItem(Modality.Image, (byte[])[.. Picture, (byte)i], "picture"))
            : ModelInput.Chat.FromUser($"What is {i}?"),
        Sampling = new SamplingParameters { Temperature = i % 3 == 0 ? 0 : 1, Seed = (ulong)i, MaxTokens = Tokens, IgnoreEos = true },
    };

    private static async Task<string[]> AloneAsync()
    {
        await using LocalModel model = LocalModel.Load(Path.Combine(TestCluster.ModelsFolder, "mini"), new LocalModelOptions
        {
            Card = CardReader.Read(Path.Combine(TestCluster.ModelsFolder, "mini.yaml")),
            Load = new LoadOptions { Backbone = DType.F32 },
            Engine = new EngineOptions { MaxNumSeqs = 16, MaxNumBatchedTokens = 256 },
        });
        return await Task.WhenAll(Enumerable.Range(0, Streams).Select(async i =>
        {
            string text = "";
            await foreach (SequenceOutput entry in model.GenerateAsync(Ask(i), Stop))
            {
                text += entry.Text;
            }
            return text;
        }));
    }

    /// <summary>One silo's death: when, and whose.</summary>
    private sealed record Kill(Moment Moment, int Share, int Choice)
    {
        public static Kill Of(Random random, bool isFirst)
        {
            // Nothing is loaded before something is lost.
            Moment moment = (Moment)random.Next(isFirst ? (int)Moment.Loading : (int)Moment.Loading + 1);
            return new Kill(moment, random.Next(5, 90), random.Next(1000));
        }

        public bool IsDue(ClusterStatus status, int tokens) => Moment switch
        {
            Moment.Submitted => true,
            Moment.Queued => tokens > 0 || status.Stages.Any(stage => stage.Load.QueueUsed > 0),
            Moment.Running => tokens > 0 || status.Stages.Any(stage => stage is { Component: ModelDeployment.BackboneComponent, Load.Running: > 0 }),
            Moment.Prefilled => tokens > 0,
            Moment.Decoding => tokens > Streams * Tokens * Share / 100,
            Moment.Loading => status.Stages.Any(stage => stage.State == StageState.Loading),
            _ => throw new System.Diagnostics.UnreachableException(),
        };

        public override string ToString() => Moment == Moment.Decoding ? $"{Moment} at {Share} %" : $"{Moment}";
    }
}
