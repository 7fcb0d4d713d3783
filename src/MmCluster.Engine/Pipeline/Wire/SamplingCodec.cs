using System.Buffers;

namespace MmCluster.Engine.Pipeline.Wire;

/// <summary>The sampling parameters that a shard with a head acts on; the others are the engine's own business and stay with it.</summary>
internal static class SamplingCodec
{
    private const int MaxBias = 1 << 16;

    public static void Write(IBufferWriter<byte> target, SamplingParameters sampling)
    {
        target.Put(sampling.Temperature);
        target.Put(sampling.TopK);
        target.Put(sampling.TopP);
        target.Put(sampling.MinP);
        target.Put(sampling.RepetitionPenalty);
        target.Put(sampling.PresencePenalty);
        target.Put(sampling.FrequencyPenalty);
        target.Put((long)sampling.Seed);
        target.Put(sampling.MinTokens);
        target.Put(sampling.Logprobs ?? -1);
        target.Put(sampling.LogitBias?.Count ?? 0);
        foreach ((int token, float bias) in sampling.LogitBias ?? new Dictionary<int, float>())
        {
            target.Put(token);
            target.Put(bias);
        }
    }

    public static SamplingParameters Read(ref WireReader source, int vocabulary)
    {
        SamplingParameters sampling = new()
        {
            Temperature = source.Float(),
            TopK = source.Int(),
            TopP = source.Float(),
            MinP = source.Float(),
            RepetitionPenalty = source.Float(),
            PresencePenalty = source.Float(),
            FrequencyPenalty = source.Float(),
            Seed = (ulong)source.Long(),
            MinTokens = source.Int(),
            Logprobs = source.Int(-1, RequestChecks.MaxLogprobs, "logprobs") is >= 0 and int logprobs ? logprobs : null,
        };
        int count = source.Count(MaxBias, "logit biases");
        if (count == 0)
        {
            return sampling;
        }
        Dictionary<int, float> bias = [];
        for (int i = 0; i < count; i++)
        {
            bias[source.Int(0, vocabulary - 1, "a logit bias's token")] = source.Float();
        }
        return sampling with { LogitBias = bias };
    }
}
