using MmCluster.Engine.Cpu;
using MmCluster.Engine.Cuda;
using MmCluster.Engine.Sampling;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Tests.Cuda;

/// <summary>The GPU draws what the processor draws, token for token, because both are fed the same logits.</summary>
public sealed class CudaSamplerTests
{
    private const int Sequences = 48;

    [Theory]
    [InlineData(301)]
    [InlineData(1024)]
    [InlineData(32_064)]
    public unsafe void Tokens_are_those_of_the_processor(int vocabulary)
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        Device device = Device.Cuda(0);
        CudaContext context = CudaContext.Get(0);
        Random random = new(vocabulary);
        SlotStart[] starts = [.. Enumerable.Range(0, Sequences).Select(i => Start(i, vocabulary, random))];
        SlotSampling[] slots = [.. starts.Select(start => new SlotSampling(
            start.Sampling, start.Choice, start.StopTokenIds, start.Tokens.Span, start.PromptLength, vocabulary))];
        Sampler sampler = new(vocabulary);
        using CudaSampler gpu = new(context, device, Sequences, vocabulary);
        using SampleOutputs outputs = new(device, Sequences, gpu.MaxTop);
        using StepFlight flight = new(context, gpu.MaxTop);
        using StepBuffer steps = new(context, device, depth: 1);
        Begin(gpu, steps, context.Stream, starts);
        for (int step = 0; step < 12; step++)
        {
            float[] logits = [.. Enumerable.Range(0, Sequences * vocabulary).Select(_ => (float)(2.5 * Normal(random)))];
            logits.AsSpan(0, vocabulary).Fill(1); // all equal
            logits.AsSpan(vocabulary, vocabulary / 2).Fill(3); // half of them
            uint[]?[] masks = [.. Enumerable.Range(0, Sequences).Select(i => i % 5 == 4 ? Mask(vocabulary, random) : null)];
            StepLayout layout = new(Sequences, Sequences, Sequences, Sequences, 8, 1, visible: false);
            int words = (vocabulary + 31) / 32;
            Span<int> buffer = steps.Begin(layout.Words + (Sequences * words));
            Span<SampleJob> jobs = System.Runtime.InteropServices.MemoryMarshal.Cast<int, SampleJob>(buffer.Slice(layout.Jobs, Sequences * StepLayout.JobWords));
            flight.Begin(step);
            for (int i = 0; i < Sequences; i++)
            {
                int at = layout.Words + (i * words);
                jobs[i] = new SampleJob(i, i, 0, 0, masks[i] is null ? -1 : at);
                System.Runtime.InteropServices.MemoryMarshal.Cast<uint, int>(masks[i]).CopyTo(buffer[at..]);
                flight.Add(new CpuSlot(starts[i], step, 64), i, 0);
            }
            steps.Upload(context.Stream, layout.Words + (Sequences * words));
            using Tensor rows = Tensor.From(logits, [Sequences, vocabulary], device);
            gpu.Sample(context.Stream, rows, steps.Words, layout.Jobs, Sequences, outputs);
            flight.Fetch(context.Stream, outputs);
            StepResult drawn = new();
            flight.Collect(drawn);
            StepResult expected = new();
            for (int i = 0; i < Sequences; i++)
            {
                expected.BeginChunk(i);
                sampler.Sample(logits.AsSpan(i * vocabulary, vocabulary), slots[i], masks[i], expected);
            }
            Assert.Empty(drawn.Failures);
            for (int i = 0; i < Sequences; i++)
            {
                Assert.True(expected.Tokens[i].Id == drawn.Tokens[i].Id,
                    $"step {step}, sequence {i}: {drawn.Tokens[i].Id}, the processor draws {expected.Tokens[i].Id} with {starts[i].Sampling}");
                Compare(expected, expected.Tokens[i], drawn, drawn.Tokens[i]);
            }
        }
    }

    [Fact]
    public void Logits_that_are_not_numbers_fail_their_own_slot()
    {
        Assert.SkipWhen(CudaContext.Count == 0, "no GPU");
        Device device = Device.Cuda(0);
        CudaContext context = CudaContext.Get(0);
        const int Vocabulary = 300;
        SlotStart[] starts = [.. Enumerable.Range(0, 3).Select(i => new SlotStart
        {
            Slot = i,
            Tokens = new[] { 1, 2 },
            PromptLength = 2,
            Sampling = new SamplingParameters { Temperature = i % 2 },
        })];
        using CudaSampler gpu = new(context, device, 3, Vocabulary);
        using SampleOutputs outputs = new(device, 3, gpu.MaxTop);
        using StepFlight flight = new(context, gpu.MaxTop);
        using StepBuffer steps = new(context, device, depth: 1);
        Begin(gpu, steps, context.Stream, starts);
        float[] logits = new float[3 * Vocabulary];
        logits[Vocabulary + 77] = float.NaN;
        logits.AsSpan(2 * Vocabulary).Fill(float.NegativeInfinity);
        Span<int> buffer = steps.Begin(3 * StepLayout.JobWords);
        Span<SampleJob> jobs = System.Runtime.InteropServices.MemoryMarshal.Cast<int, SampleJob>(buffer);
        flight.Begin(0);
        for (int i = 0; i < 3; i++)
        {
            jobs[i] = new SampleJob(i, i, 0, 0, -1);
            flight.Add(new CpuSlot(starts[i], 0, 64), i, 0);
        }
        steps.Upload(context.Stream, buffer.Length);
        using Tensor rows = Tensor.From(logits, [3, Vocabulary], device);
        gpu.Sample(context.Stream, rows, steps.Words, 0, 3, outputs);
        flight.Fetch(context.Stream, outputs);
        StepResult drawn = new();
        flight.Collect(drawn);
        Assert.Equal([1, 2], drawn.Failures.Select(failure => failure.Slot));
        Assert.Equal((1, 0), (drawn.Chunks[0].TokenCount, drawn.Tokens[0].Id));
    }

    private static void Begin(CudaSampler gpu, StepBuffer steps, CudaStream stream, SlotStart[] starts)
    {
        int words = starts.Length + starts.Sum(CudaSampler.StartWords);
        Span<int> buffer = steps.Begin(words);
        int at = starts.Length;
        for (int i = 0; i < starts.Length; i++)
        {
            buffer[i] = at;
            int length = CudaSampler.StartWords(starts[i]);
            gpu.WriteStart(starts[i], buffer.Slice(at, length));
            at += length;
        }
        steps.Upload(stream, words);
        gpu.Begin(stream, steps.Words, 0, starts.Length);
        stream.Synchronize();
    }

    private static SlotStart Start(int i, int vocabulary, Random random)
    {
        int[] tokens = [.. Enumerable.Range(0, 12).Select(_ => random.Next(vocabulary))];
        int[] stops = [.. Enumerable.Range(0, i % 4).Select(_ => random.Next(vocabulary))];
        return new SlotStart
        {
            Slot = i,
            Tokens = tokens,
            PromptLength = 7,
            StopTokenIds = stops,
            Choice = i % 3,
            Sampling = new SamplingParameters
            {
                Temperature = i % 6 == 0 ? 0 : 0.3f + (1.5f * random.NextSingle()),
                TopK = i % 4 == 1 ? 1 + random.Next(60) : 0,
                TopP = i % 3 == 1 ? 0.2f + (0.79f * random.NextSingle()) : 1,
                MinP = i % 7 == 3 ? 0.3f * random.NextSingle() : 0,
                RepetitionPenalty = i % 5 == 1 ? 1.3f : 1,
                PresencePenalty = i % 5 == 2 ? 0.7f : 0,
                FrequencyPenalty = i % 5 == 3 ? -0.4f : 0,
                LogitBias = i % 8 == 5 ? new Dictionary<int, float> { [3] = 9, [vocabulary - 1] = -100 } : null,
                MinTokens = 8,
                Logprobs = i % 4 == 2 ? 5 : null,
                Seed = (ulong)random.NextInt64(),
            },
        };
    }

    private static void Compare(StepResult expected, SampledToken a, StepResult drawn, SampledToken b)
    {
        Assert.Equal(a.Logprob is null, b.Logprob is null);
        Assert.Equal(a.AlternativeCount, b.AlternativeCount);
        if (a.Logprob is { } logprob)
        {
            Assert.Equal(logprob, b.Logprob!.Value, 1e-4f);
        }
        for (int i = 0; i < a.AlternativeCount; i++)
        {
            TokenLogprob one = expected.Alternatives[a.AlternativeOffset + i];
            TokenLogprob other = drawn.Alternatives[b.AlternativeOffset + i];
            Assert.Equal(one.Id, other.Id);
            Assert.Equal(one.Logprob, other.Logprob, 1e-4f);
        }
    }

    private static uint[] Mask(int vocabulary, Random random)
    {
        uint[] mask = new uint[(vocabulary + 31) / 32];
        for (int token = 0; token < vocabulary; token++)
        {
            mask[token / 32] |= random.Next(3) > 0 ? 1u << (token % 32) : 0;
        }
        return mask;
    }

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
