using MmCluster.Engine.Sampling;
using MmCluster.Models;

namespace MmCluster.Engine.Tests.Sampling;

public sealed class SamplerTests
{
    public static TheoryData<int, float, int, float, float> Settings => new()
    {
        { 11, 1, 0, 1, 0 },
        { 12, 0.7f, 0, 1, 0 },
        { 13, 1, 5, 1, 0 },
        { 14, 1.5f, 0, 0.8f, 0 },
        { 15, 0.5f, 0, 0.99f, 0 },
        { 16, 1, 0, 1, 0.05f },
        { 17, 1.3f, 20, 0.9f, 0.02f },
        { 18, 2, 1, 0.5f, 0.9f },
        { 19, 2, 299, 0.999f, 0 },
    };

    [Theory, MemberData(nameof(Settings))]
    public void Draws_follow_the_naive_distribution(int seed, float temperature, int topK, float topP, float minP)
    {
        const int Vocabulary = 301;
        const int Draws = 20_000;
        float[] logits = RandomLogits(seed, Vocabulary);
        SamplingParameters parameters = new() { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, Seed = (ulong)seed };
        double[] expected = NaiveSampler.Probabilities(NaiveSampler.Logits(logits, parameters, [], [], [], null), parameters);
        int[] counts = new int[Vocabulary];
        Sampler sampler = new(Vocabulary);
        SlotSampling slot = new(parameters, 0, default, [], 0, Vocabulary);
        StepResult result = new();
        for (int i = 0; i < Draws; i++)
        {
            result.Clear();
            result.BeginChunk(0);
            counts[sampler.Sample(logits, slot, [], result)]++;
        }
        double chi = 0;
        int cells = 0;
        double rare = 0;
        int rareCount = 0;
        for (int i = 0; i < Vocabulary; i++)
        {
            if (expected[i] == 0)
            {
                Assert.Equal(0, counts[i]);
            }
            else if (expected[i] * Draws < 5)
            {
                rare += expected[i] * Draws;
                rareCount += counts[i];
            }
            else
            {
                chi += Math.Pow(counts[i] - (expected[i] * Draws), 2) / (expected[i] * Draws);
                cells++;
            }
        }
        Assert.True(Math.Abs(rareCount - rare) <= 5 + (5 * Math.Sqrt(rare)), $"{rareCount} rare draws, expected {rare}");
        // Mean is the degrees of freedom, standard deviation sqrt(2 dof): five of them.
        Assert.True(chi < cells + (5 * Math.Sqrt(2 * cells)) + 1, $"chi-squared {chi} over {cells} cells");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Greedy_takes_what_the_naive_rules_leave_best(int seed)
    {
        const int Vocabulary = 77;
        Random random = new(seed);
        Sampler sampler = new(Vocabulary);
        for (int round = 0; round < 200; round++)
        {
            float[] logits = RandomLogits(random.Next(), Vocabulary);
            int[] prompt = [.. Enumerable.Range(0, 10).Select(_ => random.Next(Vocabulary))];
            int[] output = [.. Enumerable.Range(0, random.Next(12)).Select(_ => random.Next(Vocabulary))];
            int[] stops = [Array.IndexOf(logits, logits.Max()), 3];
            bool[] allowed = [.. Enumerable.Range(0, Vocabulary).Select(_ => random.Next(3) > 0)];
            SamplingParameters parameters = new()
            {
                Temperature = 0,
                RepetitionPenalty = 0.5f + random.NextSingle(),
                PresencePenalty = (4 * random.NextSingle()) - 2,
                FrequencyPenalty = (4 * random.NextSingle()) - 2,
                MinTokens = random.Next(12),
                LogitBias = random.Next(2) == 0 ? null : new Dictionary<int, float> { [5] = 8, [9] = -100 },
            };
            uint[] mask = new uint[(Vocabulary + 31) / 32];
            for (int token = 0; token < Vocabulary; token++)
            {
                mask[token / 32] |= allowed[token] ? 1u << (token % 32) : 0;
            }
            double[] naive = NaiveSampler.Logits(logits, parameters, prompt, output, stops, allowed);
            SlotSampling slot = new(parameters, 0, stops, [.. prompt, .. output], prompt.Length, Vocabulary);
            StepResult result = new();
            result.BeginChunk(0);
            int token2 = sampler.Sample(logits, slot, mask, result);
            Assert.True(naive[token2] >= naive.Max() - 1e-5, $"round {round}: {naive[token2]} against {naive.Max()}");
        }
    }

    [Fact]
    public void Greedy_takes_the_lowest_id_of_equal_logits()
    {
        foreach (int length in Enumerable.Range(2, 70))
        {
            float[] logits = new float[length];
            logits[length / 2] = logits[length - 1] = 1;
            Assert.Equal(length / 2, Draw(logits, new SamplingParameters { Temperature = 0 }));
        }
    }

    [Fact]
    public void Logprobs_are_of_the_raw_logits_whatever_the_parameters()
    {
        float[] logits = RandomLogits(5, 130);
        StepResult result = new();
        result.BeginChunk(0);
        SamplingParameters parameters = new() { Temperature = 0.3f, TopK = 1, LogitBias = new Dictionary<int, float> { [7] = 100 }, Logprobs = 4 };
        int token = new Sampler(130).Sample(logits, new SlotSampling(parameters, 0, default, [], 0, 130), [], result);
        Assert.Equal(7, token);
        double logSum = Math.Log(logits.Sum(value => Math.Exp(value)));
        Assert.Equal(logits[7] - logSum, result.Tokens[0].Logprob!.Value, 1e-5);
        int[] best = [.. Enumerable.Range(0, 130).OrderByDescending(i => logits[i]).Take(4)];
        Assert.Equal(best, result.Alternatives.Select(item => item.Id));
        Assert.All(result.Alternatives, item => Assert.Equal(logits[item.Id] - logSum, item.Logprob, 1e-5));
    }

    [Fact]
    public void A_draw_depends_on_seed_choice_and_position_alone()
    {
        float[] logits = new float[1000];
        SamplingParameters parameters = new() { Seed = 42 };
        int[] prefix = [1, 2, 3];
        int replayed = new Sampler(1000).Sample(logits, new SlotSampling(parameters, 1, default, [9, .. prefix], 1, 1000), [], Result());
        SlotSampling slot = new(parameters, 1, default, [9], 1, 1000);
        foreach (int token in prefix)
        {
            slot.Accept(token);
        }
        Assert.Equal(replayed, new Sampler(1000).Sample(logits, slot, [], Result()));
        Assert.NotEqual(replayed, new Sampler(1000).Sample(logits, new SlotSampling(parameters, 2, default, [9, .. prefix], 1, 1000), [], Result()));
    }

    [Fact]
    public void Logits_that_are_not_numbers_are_an_error()
    {
        float[] logits = [1, float.NaN, 2];
        Assert.Equal(MmErrorCode.Internal, Assert.Throws<MmException>(() => Draw(logits, new SamplingParameters { Temperature = 0 })).Code);
        Assert.Equal(MmErrorCode.Internal, Assert.Throws<MmException>(() => Draw(logits, new SamplingParameters())).Code);
    }

    [Fact]
    public void Sampling_allocates_nothing_once_warm()
    {
        float[] logits = RandomLogits(5, 32_000);
        Sampler sampler = new(32_000);
        StepResult result = new();
        SlotSampling[] slots =
        [
            new(new() { Temperature = 0 }, 0, default, [], 0, 32_000),
            new(new() { TopK = 40, TopP = 0.95f, Logprobs = 5 }, 0, default, [], 0, 32_000),
            new(new() { TopP = 0.9f, MinP = 0.01f, RepetitionPenalty = 1.1f }, 0, default, [], 0, 32_000),
            new(new() { FrequencyPenalty = 0.5f }, 0, default, [], 0, 32_000),
        ];
        long before = 0;
        for (int round = 0; round < 30; round++)
        {
            before = round == 10 ? GC.GetAllocatedBytesForCurrentThread() : before;
            result.Clear();
            foreach (SlotSampling slot in slots)
            {
                result.BeginChunk(0);
                sampler.Sample(logits, slot, [], result);
            }
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static int Draw(float[] logits, SamplingParameters parameters) =>
        new Sampler(logits.Length).Sample(logits, new SlotSampling(parameters, 0, default, [], 0, logits.Length), [], Result());

    private static StepResult Result()
    {
        StepResult result = new();
        result.BeginChunk(0);
        return result;
    }

    private static float[] RandomLogits(int seed, int length)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, length).Select(_ => (float)(2.5 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
    }
}
