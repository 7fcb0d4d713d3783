using System.Diagnostics;
using System.Globalization;
using MmCluster.Engine;
using MmCluster.Engine.Cpu;
using MmCluster.Models;
using MmCluster.Models.Backbones;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Cli.Benchmarks.Llm;

/// <summary>What a language model benchmark runs.</summary>
/// <param name="Folder">Checkpoint; no tokenizer is needed.</param>
/// <param name="DType">Format that the weights are packed to.</param>
/// <param name="Prompt">Prompt tokens.</param>
/// <param name="New">Tokens generated behind the first.</param>
/// <param name="Repeat">Measured runs, after one that is not.</param>
internal sealed record LlmBenchmarkOptions(string Folder, DType DType, int Prompt, int New, int Repeat)
{
    /// <summary>Format of keys and values.</summary>
    public DType KvCacheDType { get; init; } = DType.F32;
}

/// <summary>Medians over the measured runs.</summary>
internal sealed record LlmBenchmarkResult(
    double PrefillTokensPerSecond, double DecodeTokensPerSecond, double LoadSeconds, double PeakRssMegabytes, IReadOnlyList<int> First);

/// <summary>Times a prompt and greedy decoding of one sequence through the engine, as the llama.cpp comparison does it.</summary>
internal static class LlmBenchmark
{
    private const int ReportedIds = 16;

    public static async Task<LlmBenchmarkResult> RunAsync(LlmBenchmarkOptions options, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        using var model = LoadedModel.Load(options.Folder, new LoadOptions
        {
            Backbone = options.DType,
            Components = component => component.Kind == ComponentKind.Backbone,
        });
        double load = Stopwatch.GetElapsedTime(start).TotalSeconds;
        await using Engine.Engine engine = Start(model, options);
        List<double> prefill = [];
        List<double> decode = [];
        List<int> first = [];
        for (int run = 0; run <= options.Repeat; run++)
        {
            (double promptSeconds, double newSeconds, List<int> ids) = await OnceAsync(engine, options, run, cancellationToken);
            if (run > 0)
            {
                prefill.Add(options.Prompt / promptSeconds);
                decode.Add(options.New / newSeconds);
            }
            first = ids[..Math.Min(ReportedIds, ids.Count)];
        }
        return new LlmBenchmarkResult(Median(prefill), Median(decode), load, PeakRss() / 1e6, first);
    }

    private static Engine.Engine Start(LoadedModel model, LlmBenchmarkOptions options)
    {
        int length = options.Prompt + options.New + 1;
        IBackbone backbone = model.Backbone ?? throw new MmException(MmErrorCode.InvalidArgument, $"{options.Folder}: the model has no language model to time");
        var executor = new CpuExecutor(backbone, new CpuExecutorOptions
        {
            MaxSlots = 1,
            MaxBatchedTokens = Math.Max(options.Prompt, 1),
            MaxModelLength = length,
            KvCacheDType = options.KvCacheDType,
        });
        // A cached prompt would be no prefill.
        return new Engine.Engine(executor, new EngineOptions { MaxNumSeqs = 1, MaxNumBatchedTokens = Math.Max(options.Prompt, 1), EnablePrefixCaching = false });
    }

    private static async Task<(double PromptSeconds, double NewSeconds, List<int> Ids)> OnceAsync(
        Engine.Engine engine, LlmBenchmarkOptions options, int run, CancellationToken cancellationToken)
    {
        int[] prompt = [.. Enumerable.Range(0, options.Prompt).Select(i => i == 0 ? 1 : 259 + (i * 7919 % 600))];
        List<int> ids = [];
        long start = Stopwatch.GetTimestamp();
        long firstToken = start;
        engine.Submit(new EngineRequest
        {
            Id = run.ToString(CultureInfo.InvariantCulture),
            Prompt = [new PromptPiece.Tokens(prompt)],
            Sampling = new SamplingParameters { Temperature = 0, MaxTokens = options.New + 1, IgnoreEos = true },
        });
        await foreach (StepOutputs step in engine.ReadSteps(cancellationToken))
        {
            foreach (SequenceOutput output in step.Outputs)
            {
                if (output.Error is { } error)
                {
                    throw error;
                }
                if (ids.Count == 0 && output.TokenIds.Length > 0)
                {
                    firstToken = Stopwatch.GetTimestamp();
                }
                ids.AddRange(output.TokenIds.Span);
                if (output.Finish is not null)
                {
                    return (Stopwatch.GetElapsedTime(start, firstToken).TotalSeconds, Stopwatch.GetElapsedTime(firstToken).TotalSeconds, ids);
                }
            }
        }
        throw new MmException(MmErrorCode.Internal, "the engine stopped before the benchmark's request ended");
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
