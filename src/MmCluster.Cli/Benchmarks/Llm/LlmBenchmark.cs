using System.Diagnostics;
using System.Globalization;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;

namespace MmCluster.Cli.Benchmarks.Llm;

/// <summary>What a language model benchmark runs.</summary>
/// <param name="Folder">Checkpoint, or a config.json alone with made-up weights; no tokenizer is needed.</param>
/// <param name="Load">Where and how the weights are.</param>
/// <param name="Executor">How the device is used.</param>
/// <param name="Prompt">Prompt tokens of a sequence; their mean where <see cref="Ragged"/>.</param>
/// <param name="New">Tokens of a sequence generated behind the first.</param>
/// <param name="Batch">Sequences at once.</param>
/// <param name="Repeat">Measured runs, after <see cref="Warmups"/> that are not.</param>
internal sealed record LlmBenchmarkOptions(string Folder, LoadOptions Load, ExecutorOptions Executor, int Prompt, int New, int Batch, int Repeat)
{
    /// <summary>Pipeline shards that the layers are split over.</summary>
    public int PipelineShards { get; init; } = 1;

    /// <summary>Tensor-parallel ranks that every layer is split over.</summary>
    public int TensorRanks { get; init; } = 1;

    /// <summary>Positions a step; null takes all prompts', at most 8,192.</summary>
    public int? MaxBatchedTokens { get; init; }

    /// <summary>Whether prompts differ in length, from a quarter to seven quarters of <see cref="Prompt"/>, the same in sum.</summary>
    public bool Ragged { get; init; }

    /// <summary>Tokens that a sequence's prompts have in common over all runs; the measured runs find their whole blocks in the prefix cache.</summary>
    public int Cached { get; init; }

    /// <summary>Runs before the measured ones: what is behind a cached prefix has other sizes than the run that fills the cache, and a size's first products are timed.</summary>
    public int Warmups => Cached > 0 ? 2 : 1;

    /// <summary>Prompt tokens of the longest sequence.</summary>
    public int Longest => PromptOf(Batch - 1);

    /// <summary>Positions a step, and at least a prompt's first and every sequence's next.</summary>
    public int Budget => Math.Max(MaxBatchedTokens ?? (int)Math.Min(8192L, (long)Prompt * Batch), Batch);

    /// <summary>Steps that sequences with a first token go through while others still wait for theirs.</summary>
    public int Slack => (long)Prompt * Batch <= Budget ? 0 : (int)((long)Prompt * Batch / Math.Max(1, Budget - Batch)) + 2;

    /// <summary>Prompt tokens of the sequence at <paramref name="index"/>.</summary>
    public int PromptOf(int index) => Ragged ? Prompt + (int)(3L * Prompt * ((2 * index) - (Batch - 1)) / (4L * Math.Max(1, Batch - 1))) : Prompt;
}

/// <summary>Rates of the measured runs; the single figures are medians. The first token's seconds count from the process's start, the
/// cached prompt tokens are the last run's.</summary>
internal sealed record LlmBenchmarkResult(
    IReadOnlyList<double> Prefill, IReadOnlyList<double> Decode, long Cached, double LoadSeconds, long WeightBytes, double FirstTokenSeconds, double PeakRssMegabytes, IReadOnlyList<int> First)
{
    public double PrefillTokensPerSecond => LlmBenchmark.Median(Prefill);

    public double DecodeTokensPerSecond => LlmBenchmark.Median(Decode);
}

/// <summary>
/// Times prompts and greedy decoding through the engine: scheduler, paged KV, sampling and the stream of outputs. Prefill counts the prompt tokens that are
/// computed, from submitting until the last sequence has its first token; decode counts the steps after that, while all sequences run.
/// </summary>
internal static class LlmBenchmark
{
    private const int ReportedIds = 16;

    public static async Task<LlmBenchmarkResult> RunAsync(LlmBenchmarkOptions options, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        LoadOptions parts = options.Load with
        {
            Components = component => component.Kind == ComponentKind.Backbone,
            MaxModelLength = Length(options),
        };
        using LocalBackbone backbone = LocalBackbone.Load(options.Folder, parts, new BackboneSplit(options.PipelineShards, options.TensorRanks));
        double load = Stopwatch.GetElapsedTime(start).TotalSeconds;
        await using Engine.Engine engine = Start(backbone, options);
        List<double> prefill = [];
        List<double> decode = [];
        List<int> first = [];
        TimeSpan firstToken = default;
        long cached = 0;
        for (int run = 0; run < options.Warmups + options.Repeat; run++)
        {
            Round round = new(options);
            await round.RunAsync(engine, run, cancellationToken);
            firstToken = run == 0 ? round.FirstTokenAt - Process.GetCurrentProcess().StartTime.ToUniversalTime() : firstToken;
            if (run >= options.Warmups)
            {
                prefill.Add((((long)options.Batch * options.Prompt) - round.Cached) / Stopwatch.GetElapsedTime(round.Begin, round.AllBegun).TotalSeconds);
                decode.Add(round.Decoded / Stopwatch.GetElapsedTime(round.AllBegun, round.End).TotalSeconds);
            }
            first = round.First;
            cached = round.Cached;
        }
        return new LlmBenchmarkResult(
            prefill, decode, cached, load, backbone.WeightBytes, firstToken.TotalSeconds, PeakRss() / 1e6, first[..Math.Min(ReportedIds, first.Count)]);
    }

    private static int Length(LlmBenchmarkOptions options) => options.Longest + options.New + 1 + options.Slack;

    private static Engine.Engine Start(LocalBackbone backbone, LlmBenchmarkOptions options)
    {
        IModelExecutor executor = backbone.CreateExecutor(options.Executor with
        {
            MaxSlots = options.Batch,
            MaxBatchedTokens = options.Budget,
            MaxModelLength = Length(options),
        });
        // A cached prompt would be no prefill, unless that is what is asked for.
        return new Engine.Engine(
            executor, new EngineOptions { MaxNumSeqs = options.Batch, MaxNumBatchedTokens = options.Budget, EnablePrefixCaching = options.Cached > 0 });
    }

    /// <summary>One run: all sequences from submitting to their last token.</summary>
    private sealed class Round(LlmBenchmarkOptions options)
    {
        private readonly Dictionary<string, int> _counts = [];
        private int _begun;
        private int _ended;

        public long Begin { get; private set; }

        /// <summary>When the first sequence had its first token.</summary>
        public DateTime FirstTokenAt { get; private set; }

        /// <summary>When the last sequence had its first token.</summary>
        public long AllBegun { get; private set; }

        /// <summary>When the measured steps behind that were over.</summary>
        public long End { get; private set; }

        /// <summary>Tokens between the two.</summary>
        public long Decoded { get; private set; }

        /// <summary>Prompt tokens that came from the prefix cache.</summary>
        public long Cached { get; private set; }

        /// <summary>Ids of the first sequence.</summary>
        public List<int> First { get; } = [];

        public async Task RunAsync(Engine.Engine engine, int run, CancellationToken cancellationToken)
        {
            Begin = Stopwatch.GetTimestamp();
            for (int i = 0; i < options.Batch; i++)
            {
                engine.Submit(Request(run, i, engine.Model.VocabularySize));
            }
            await foreach (StepOutputs step in engine.ReadSteps(cancellationToken))
            {
                Read(step, $"{run}.0");
                if (_ended == options.Batch)
                {
                    return;
                }
            }
            throw new MmException(MmErrorCode.Internal, "the engine stopped before the benchmark's requests ended");
        }

        private void Read(StepOutputs step, string first)
        {
            bool counts = AllBegun != 0 && Decoded < (long)options.Batch * options.New;
            foreach (SequenceOutput output in step.Outputs)
            {
                if (output.Error is { } error)
                {
                    throw error;
                }
                Count(output.RequestId, output.TokenIds.Length);
                Decoded += counts ? output.TokenIds.Length : 0;
                _ended += output.Finish is null ? 0 : 1;
                Cached += output.Usage?.CachedTokens ?? 0;
                if (output.RequestId == first)
                {
                    First.AddRange(output.TokenIds.Span);
                }
            }
            End = counts ? Stopwatch.GetTimestamp() : End;
        }

        private void Count(string id, int tokens)
        {
            if (tokens > 0 && _counts.TryAdd(id, tokens))
            {
                FirstTokenAt = _begun == 0 ? TimeProvider.System.GetUtcNow().UtcDateTime : FirstTokenAt;
                AllBegun = ++_begun == options.Batch ? Stopwatch.GetTimestamp() : AllBegun;
            }
        }

        private EngineRequest Request(int run, int index, int vocabulary) => new()
        {
            Id = string.Create(CultureInfo.InvariantCulture, $"{run}.{index}"),
            Prompt = [new PromptPiece.Tokens(Prompt(run, index, vocabulary))],
            Sampling = new SamplingParameters { Temperature = 0, MaxTokens = options.New + 1 + options.Slack, IgnoreEos = true },
        };

        // With a cached prefix, what is behind it differs from run to run.
        private int[] Prompt(int run, int index, int vocabulary) => [.. Enumerable.Range(0, options.PromptOf(index)).Select(i =>
        {
            long place = i + (31L * index) + (options.Cached > 0 && i >= options.Cached ? 7L * run : 0);
            return i == 0 ? 1 : (int)((259 + (place * 7919 % 600)) % vocabulary);
        })];
    }

    /// <summary>The middle of <paramref name="values"/>, or the mean of the two in the middle.</summary>
    internal static double Median(IReadOnlyList<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    // VmHWM is the most that was ever resident; the runtime's own figure would be what is resident now.
    private static long PeakRss()
    {
        string line = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.AsSpan("VmHWM:".Length).Trim()[..^2].Trim(), NumberStyles.None, CultureInfo.InvariantCulture) * 1024;
    }
}
