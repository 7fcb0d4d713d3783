using MmCluster.Engine.Hosting;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Kinds;

/// <summary>
/// Prefix-LM, spans that see themselves in both directions, experts by type and gated cross-attention to media, through scheduler and executor of a device: tokens and
/// logprobs are those of a naive twin however the work is cut.
/// </summary>
public abstract class DecoderKindTests
{
    private const int Count = 4;
    private const double Tolerance = 1e-4;

    private protected abstract Device Device { get; }

    [Theory, MemberData(nameof(DecoderCase.KindsAndWays), MemberType = typeof(DecoderCase))]
    public void Tokens_and_logprobs_are_those_of_the_naive_twin(string kind, string way)
    {
        EngineOptions options = new() { MaxNumSeqs = 8, EnablePrefixCaching = way == "cached" };
        // A bidirectional prompt needs a step for the whole of it.
        options = way == "chunked" ? options with { MaxNumBatchedTokens = kind == "prefix" ? 50 : 13 } : options;
        using TinyBackbone network = DecoderCase.Network(kind, Device);
        long block = PagedKv.BytesABlock(TinyBackbone.Heads, TinyBackbone.HeadDim, device: Device) * TinyBackbone.Layers;
        using EngineDriver driver = new(
            Executors.Create(network, Device, new ExecutorOptions { MaxSlots = 8, KvCacheBytes = block * (way == "preempted" ? 9 : 256) }), options);
        List<EngineRequest> requests = [.. Enumerable.Range(0, Count).Select(i => DecoderCase.Request(kind, i, $"r{i}", way == "choices" ? 3 : 1))];
        requests.ForEach(driver.Submit);
        driver.RunToEnd();
        if (way == "preempted")
        {
            Assert.True(driver.Core.Scheduler.Preemptions > 0);
        }
        if (way == "cached")
        {
            requests.Add(DecoderCase.Request(kind, 2, "again"));
            driver.Submit(requests[^1]);
            driver.RunToEnd();
            Assert.True(driver.Results[("again", 0)].Usage!.CachedTokens > 0);
        }
        using TinyBackbone twin = DecoderCase.Network(kind, Device.Cpu);
        foreach (((string id, int _), Collected result) in driver.Results)
        {
            Assert.True(result.Finish == FinishReason.Length, result.Error?.Message);
            Check(kind, twin, requests.Single(request => request.Id == id), result);
        }
    }

    // Greedy: the token is the best, or as good as that; its logprob is the twin's.
    private static void Check(string kind, TinyBackbone twin, EngineRequest request, Collected result)
    {
        using var scope = new TensorScope();
        int vocabulary = twin.Spec.VocabularySize;
        float[] logits = DecoderCase.Twin(twin, kind, request, result.Tokens).ToArray<float>();
        int first = (logits.Length / vocabulary) - DecoderCase.Output;
        Assert.Equal((DecoderCase.Output, DecoderCase.Output), (result.Tokens.Count, result.Logprobs.Count));
        for (int i = 0; i < DecoderCase.Output; i++)
        {
            float[] row = logits[((first + i) * vocabulary)..((first + i + 1) * vocabulary)];
            double total = Math.Log(row.Sum(logit => Math.Exp(logit - row.Max()))) + row.Max();
            int token = result.Tokens[i];
            Assert.True(row.Max() - row[token] < Tolerance, $"{request.Id}: token {i} is {token}, {row.Max() - row[token]} below the best");
            Assert.Equal(row[token] - total, result.Logprobs[i], Tolerance);
        }
    }
}

public sealed class CpuDecoderKindTests : DecoderKindTests
{
    private protected override Device Device => Device.Cpu;
}

public sealed class CudaDecoderKindTests : DecoderKindTests
{
    public CudaDecoderKindTests() => Assert.SkipWhen(Device.CudaCount == 0, "no GPU");

    private protected override Device Device => Device.Cuda(0);
}
