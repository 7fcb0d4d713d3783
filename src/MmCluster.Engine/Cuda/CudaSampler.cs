using System.Runtime.InteropServices;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Cuda;

/// <summary>
/// Samples on the GPU: logits stay there, a slot's parameters, counts and last token too. Draws what <see cref="Sampling.Sampler"/> draws from the same logits.
/// </summary>
internal sealed unsafe class CudaSampler : IDisposable
{
    private const int Threads = 1024;
    private const int StartHead = 4;

    private readonly Device _device;
    private readonly int _vocabulary;
    private readonly Tensor _states;
    private readonly Tensor?[] _lists;
    private readonly Tensor?[] _counts;
    private readonly CudaKernel _sample;
    private readonly CudaKernel _begin;
    private readonly CudaKernel _gather;

    public CudaSampler(CudaContext context, Device device, int slots, int vocabulary)
    {
        _device = device;
        _vocabulary = vocabulary;
        MaxTop = Math.Min(RequestChecks.MaxLogprobs, vocabulary);
        _states = Tensor.Zeros([slots, SlotState.Words], DType.I32, device);
        _lists = new Tensor?[slots];
        _counts = new Tensor?[slots];
        _sample = context.Kernels["sampling", "sample"];
        _begin = context.Kernels["sampling", "begin_slots"];
        _gather = context.Kernels["sampling", "gather_tokens"];
    }

    /// <summary>Alternatives that a token can be reported with.</summary>
    public int MaxTop { get; }

    /// <summary>Words that a slot's start takes in a step's buffer.</summary>
    public static int StartWords(SlotStart start) =>
        StartHead + SlotState.Words + ListWords(start.Sampling, start.StopTokenIds.Length) + (HasPenalties(start.Sampling) ? start.Tokens.Length : 0);

    /// <summary>Writes a slot's start to a step's buffer; takes the memory it needs on the GPU.</summary>
    public void WriteStart(SlotStart start, Span<int> words)
    {
        SamplingParameters sampling = start.Sampling;
        SlotState state = SlotState.Of(start);
        int listWords = ListWords(sampling, start.StopTokenIds.Length);
        bool penalties = HasPenalties(sampling);
        Release(start.Slot);
        if (listWords > 0)
        {
            _lists[start.Slot] = Tensor.Empty([listWords], DType.I32, _device);
            state.Lists = (nint)_lists[start.Slot]!.Data;
        }
        if (penalties)
        {
            _counts[start.Slot] = Tensor.Empty([_vocabulary], DType.I32, _device);
            state.Counts = (nint)_counts[start.Slot]!.Data;
        }
        (words[0], words[1], words[2], words[3]) = (start.Slot, listWords, penalties ? start.Tokens.Length : 0, start.PromptLength);
        MemoryMarshal.Cast<SlotState, int>(new ReadOnlySpan<SlotState>(in state)).CopyTo(words[StartHead..]);
        words = words[(StartHead + SlotState.Words)..];
        foreach ((int id, float bias) in sampling.LogitBias ?? new Dictionary<int, float>())
        {
            (words[0], words[1]) = (id, BitConverter.SingleToInt32Bits(bias));
            words = words[2..];
        }
        start.StopTokenIds.Span.CopyTo(words);
        if (penalties)
        {
            start.Tokens.Span.CopyTo(words[start.StopTokenIds.Length..]);
        }
    }

    /// <summary>Frees what a slot took.</summary>
    public void Release(int slot)
    {
        _lists[slot]?.Dispose();
        _counts[slot]?.Dispose();
        _lists[slot] = _counts[slot] = null;
    }

    /// <summary>Fills slots from a step's buffer; <paramref name="offsets"/> is the word where the words of <paramref name="count"/> starts are.</summary>
    public void Begin(CudaStream stream, Tensor step, int offsets, int count) =>
        _begin.Launch(stream, count, 256, 0, step, (int*)step.Data + offsets, _states, _vocabulary);

    /// <summary>Ids of a step, those that only the GPU knows filled in.</summary>
    public void GatherTokens(CudaStream stream, int* known, Tensor ids, int count) =>
        _gather.Launch(stream, (count + 255) / 256, 256, 0, known, _states, ids, count);

    /// <summary>Samples <paramref name="count"/> jobs.</summary>
    /// <param name="stream">Where.</param>
    /// <param name="logits">F32 [rows, vocabulary]</param>
    /// <param name="step">The step's buffer, with drafts and masks.</param>
    /// <param name="jobs">The word of its first job.</param>
    /// <param name="count">Jobs.</param>
    /// <param name="outputs">Where the tokens go.</param>
    public void Sample(CudaStream stream, Tensor logits, Tensor step, int jobs, int count, SampleOutputs outputs)
    {
        using Tensor scratch = Tensor.Empty(logits.Shape, DType.F32, _device);
        int* words = (int*)step.Data;
        _sample.Launch(stream, count, Threads, 0, logits, scratch, _vocabulary, words + jobs, words, words, _states,
            outputs.Tokens, outputs.Counts, outputs.Chosen, outputs.TopIds, outputs.TopValues, MaxTop);
    }

    public void Dispose()
    {
        for (int slot = 0; slot < _lists.Length; slot++)
        {
            Release(slot);
        }
        _states.Dispose();
    }

    private static bool HasPenalties(SamplingParameters sampling) =>
        sampling.RepetitionPenalty != 1 || sampling.PresencePenalty != 0 || sampling.FrequencyPenalty != 0;

    private static int ListWords(SamplingParameters sampling, int stops) => (2 * (sampling.LogitBias?.Count ?? 0)) + stops;
}
