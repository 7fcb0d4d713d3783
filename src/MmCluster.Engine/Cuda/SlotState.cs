using System.Runtime.InteropServices;
using MmCluster.Engine.Sampling;

namespace MmCluster.Engine.Cuda;

/// <summary>A slot's sampling state on the GPU, as sampling.cu has it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SlotState
{
    public float Temperature;
    public float TopP;
    public float Repetition;
    public float Presence;
    public float Frequency;
    public int TopK;
    public int MinTokens;
    public int Logprobs;
    public ulong Seed;
    public long LeastWeight;
    public int Choice;
    public int OutputLength;
    public int BiasCount;
    public int StopCount;
    public nint Lists;
    public nint Counts;
    public int LastToken;
    public int Reserved;

    /// <summary>Words it takes.</summary>
    public static int Words => sizeof(SlotState) / sizeof(int);

    /// <summary>The state at a slot's start, without the addresses of its lists.</summary>
    public static SlotState Of(SlotStart start)
    {
        SamplingParameters sampling = start.Sampling;
        ReadOnlySpan<int> tokens = start.Tokens.Span;
        return new SlotState
        {
            Temperature = sampling.Temperature,
            TopP = sampling.TopP,
            Repetition = sampling.RepetitionPenalty,
            Presence = sampling.PresencePenalty,
            Frequency = sampling.FrequencyPenalty,
            TopK = sampling.TopK,
            MinTokens = sampling.MinTokens,
            Logprobs = sampling.Logprobs ?? -1,
            Seed = sampling.Seed,
            LeastWeight = Sampler.LeastWeight(sampling),
            Choice = start.Choice,
            OutputLength = tokens.Length - start.PromptLength,
            BiasCount = sampling.LogitBias?.Count ?? 0,
            StopCount = start.StopTokenIds.Length,
            LastToken = tokens.IsEmpty ? 0 : tokens[^1],
        };
    }
}

/// <summary>A sequence to sample, as sampling.cu has it.</summary>
/// <param name="Slot">Its slot; -1 fills a graph's batch up.</param>
/// <param name="Row">Its first row of logits.</param>
/// <param name="Drafts">Drafts to verify, each with a row.</param>
/// <param name="DraftOffset">The first draft's word in the step's buffer.</param>
/// <param name="Mask">The first mask's word in the step's buffer, or -1.</param>
[StructLayout(LayoutKind.Sequential, Size = 4 * StepLayout.JobWords)]
internal readonly record struct SampleJob(int Slot, int Row, int Drafts, int DraftOffset, int Mask)
{
    public static SampleJob None { get; } = new(-1, 0, 0, 0, -1);
}
