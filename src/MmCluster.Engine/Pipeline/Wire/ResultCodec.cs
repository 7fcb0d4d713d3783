using System.Buffers;

namespace MmCluster.Engine.Pipeline.Wire;

/// <summary>What the last shard sampled in a step: slots at fault, then chunk by chunk its tokens with logprob and alternatives.</summary>
internal static class ResultCodec
{
    public static void Write(IBufferWriter<byte> target, StepResult result)
    {
        target.Put(result.Step ?? throw new InvalidOperationException("a result without a step"));
        FailureCodec.WriteAll(target, result.Failures);
        target.Put(result.Chunks.Count);
        for (int i = 0; i < result.Chunks.Count; i++)
        {
            SampledChunk chunk = result.Chunks[i];
            target.Put(chunk.Slot);
            target.Put(chunk.TokenCount);
            for (int j = 0; j < chunk.TokenCount; j++)
            {
                WriteToken(target, result, result.Tokens[chunk.TokenOffset + j]);
            }
        }
    }

    public static void Read(ref WireReader source, ExecutorDescription model, StepResult result)
    {
        result.Step = source.Long();
        FailureCodec.ReadAll(ref source, model.MaxSlots, result);
        for (int chunks = source.Count(model.MaxSlots, "chunks"); chunks > 0; chunks--)
        {
            result.BeginChunk(source.Int(0, model.MaxSlots - 1, "a slot"));
            for (int tokens = source.Count(model.MaxBatchedTokens, "tokens"); tokens > 0; tokens--)
            {
                ReadToken(ref source, model.VocabularySize, result);
            }
        }
        source.End();
    }

    private static void WriteToken(IBufferWriter<byte> target, StepResult result, SampledToken token)
    {
        target.Put(token.Id);
        target.Put(token.Logprob is null ? -1 : token.AlternativeCount);
        if (token.Logprob is { } logprob)
        {
            target.Put(logprob);
            for (int i = 0; i < token.AlternativeCount; i++)
            {
                TokenLogprob alternative = result.Alternatives[token.AlternativeOffset + i];
                target.Put(alternative.Id);
                target.Put(alternative.Logprob);
            }
        }
    }

    private static void ReadToken(ref WireReader source, int vocabulary, StepResult result)
    {
        int id = source.Int(0, vocabulary - 1, "a sampled token");
        int count = source.Int(-1, RequestChecks.MaxLogprobs, "the number of alternatives");
        if (count < 0)
        {
            result.Add(id);
            return;
        }
        float logprob = source.Float();
        Span<TokenLogprob> alternatives = stackalloc TokenLogprob[count];
        for (int i = 0; i < count; i++)
        {
            alternatives[i] = new TokenLogprob(source.Int(0, vocabulary - 1, "an alternative"), source.Float());
        }
        result.Add(id, logprob, alternatives);
    }
}
