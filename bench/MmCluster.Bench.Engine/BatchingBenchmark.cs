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

    public static async Task RunAsync(string folder, string dtype, int threads)
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
        for (int round = 0; round < ratios.Length; round++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Requests; i++)
            {
                await GenerateAsync(model, Prompt(model, PromptTokens, seed++), NewTokens);
            }
            double alone = Stopwatch.GetElapsedTime(start).TotalSeconds;
            start = Stopwatch.GetTimestamp();
            await Task.WhenAll(Enumerable.Range(seed, Requests).Select(i => GenerateAsync(model, Prompt(model, PromptTokens, i), NewTokens)));
            seed += Requests;
            double together = Stopwatch.GetElapsedTime(start).TotalSeconds;
            ratios[round] = alone / together;
            Console.WriteLine(FormattableString.Invariant(
                $"round {round}: one after another {Requests * NewTokens / alone:F1} tok/s, side by side {Requests * NewTokens / together:F1} tok/s, {ratios[round]:F2}x"));
        }
        int[] prefix = Prompt(model, PrefixTokens, seed++);
        double first = await GenerateAsync(model, [.. prefix, .. Prompt(model, PromptTokens, seed++)], 1);
        double second = await GenerateAsync(model, [.. prefix, .. Prompt(model, PromptTokens, seed++)], 1);
        Console.WriteLine(FormattableString.Invariant(
            $"median {ratios.Order().ElementAt(1):F2}x; shared prefix of {PrefixTokens}: TTFT {1e3 * first:F0} ms, then {1e3 * second:F0} ms, {second / first:F3}"));
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
