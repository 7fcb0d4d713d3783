using System.Diagnostics;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Bench.Engine;

/// <summary>What batching and the prefix cache bring, as ratios within one run.</summary>
internal static class BatchingBenchmark
{
    private const int Requests = 16;
    private const int PromptTokens = 32;
    private const int NewTokens = 64;
    private const int PrefixTokens = 1024;

    /// <param name="folder">The checkpoint.</param>
    /// <param name="dtype">Format of the weights in memory.</param>
    /// <param name="threads">Threads of the compute pool, and of the peak.</param>
    /// <param name="gflopPerToken">Two for each weight of the network, in billions: 2.2 for 1.1 billion.</param>
    public static async Task RunAsync(string folder, string dtype, int threads, double gflopPerToken)
    {
        Device.Cpu.Threads = threads;
        await using LocalModel model = LocalModel.Load(folder, new LocalModelOptions
        {
            Load = new LoadOptions { Backbone = Enum.Parse<DType>(dtype, ignoreCase: true) },
            Engine = new EngineOptions { MaxNumSeqs = Requests },
        });
        int seed = 0;
        await GenerateAsync(model, Prompt(model, PromptTokens, seed++), NewTokens);
        double[] ratios = new double[3];
        double[] shares = new double[3];
        for (int round = 0; round < ratios.Length; round++)
        {
            double[] peaks = new double[3];
            peaks[0] = FmaPeak.Measure(threads);
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Requests; i++)
            {
                await GenerateAsync(model, Prompt(model, PromptTokens, seed++), NewTokens);
            }
            double alone = Stopwatch.GetElapsedTime(start).TotalSeconds;
            peaks[1] = FmaPeak.Measure(threads);
            start = Stopwatch.GetTimestamp();
            await Task.WhenAll(Enumerable.Range(seed, Requests).Select(i => GenerateAsync(model, Prompt(model, PromptTokens, i), NewTokens)));
            seed += Requests;
            double together = Stopwatch.GetElapsedTime(start).TotalSeconds;
            peaks[2] = FmaPeak.Measure(threads);
            double peak = peaks.Order().ElementAt(1);
            ratios[round] = alone / together;
            // All positions computed, prompts included, at the peak.
            shares[round] = Requests * (PromptTokens + NewTokens) * gflopPerToken / peak / together;
            Console.WriteLine(FormattableString.Invariant(
                $"round {round}: one after another {Requests * NewTokens / alone:F1} tok/s, side by side {Requests * NewTokens / together:F1} tok/s, {ratios[round]:F2}x"));
            Console.WriteLine(FormattableString.Invariant(
                $"  F32 FMA peak of {threads} threads before, between and behind: {peaks[0]:F0}, {peaks[1]:F0}, {peaks[2]:F0} GFLOP/s; side by side is {shares[round]:P1} of the compute bound"));
        }
        int[] prefix = Prompt(model, PrefixTokens, seed++);
        double first = await GenerateAsync(model, [.. prefix, .. Prompt(model, PromptTokens, seed++)], 1);
        double second = await GenerateAsync(model, [.. prefix, .. Prompt(model, PromptTokens, seed++)], 1);
        Console.WriteLine(FormattableString.Invariant(
            $"median {ratios.Order().ElementAt(1):F2}x, {shares.Order().ElementAt(1):P1} of the compute bound; shared prefix of {PrefixTokens}: TTFT {1e3 * first:F0} ms, then {1e3 * second:F0} ms, {second / first:F3}"));
    }

    private static int[] Prompt(LocalModel model, int length, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(3, model.VocabularySize))];
    }

    // Seconds to the first token.
    private static async Task<double> GenerateAsync(LocalModel model, int[] prompt, int tokens)
    {
        long start = Stopwatch.GetTimestamp();
        double? first = null;
        ModelRequest request = new()
        {
            Input = new ModelInput.Tokens(prompt),
            Sampling = new SamplingParameters { Temperature = 0, MaxTokens = tokens, IgnoreEos = true },
        };
        await foreach (SequenceOutput output in model.GenerateAsync(request, CancellationToken.None))
        {
            if (output.Error is { } error)
            {
                throw error;
            }
            first ??= Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        return first ?? 0;
    }
}
