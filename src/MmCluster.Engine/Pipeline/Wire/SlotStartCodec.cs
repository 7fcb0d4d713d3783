using System.Buffers;
using MmCluster.Tensors;

namespace MmCluster.Engine.Pipeline.Wire;

/// <summary>A sequence that enters a slot. Media features do not travel: they end in the rows of the first shard; the others need the places only.</summary>
internal static class SlotStartCodec
{
    private const int MaxTextBytes = 1 << 10;

    private static readonly Task<Tensor> Elsewhere = Task.FromException<Tensor>(new InvalidOperationException("media features are on the first shard only"));

    public static void Write(IBufferWriter<byte> target, SlotStart start)
    {
        target.Put(start.Slot);
        target.PutAll(start.Tokens.Span);
        target.Put(start.PromptLength);
        target.Put(start.CachedLength);
        target.Put(start.Choice);
        target.Put(start.Adapter);
        target.PutAll(start.StopTokenIds.Span);
        target.Put(start.Media.Count);
        foreach (MediaSpan span in start.Media)
        {
            target.Put(span.Position);
            target.Put(span.Length);
            target.Put(span.Bidirectional ? 1 : 0);
        }
        SamplingCodec.Write(target, start.Sampling);
    }

    public static SlotStart Read(ref WireReader source, ExecutorDescription model)
    {
        int slot = source.Int(0, model.MaxSlots - 1, "a slot");
        int[] tokens = source.All<int>(model.MaxModelLength, "tokens").ToArray();
        int promptLength = source.Int(0, tokens.Length, "a prompt's length");
        SlotStart start = new()
        {
            Slot = slot,
            Tokens = tokens,
            PromptLength = promptLength,
            CachedLength = source.Int(0, tokens.Length, "a cached length"),
            Choice = source.Int(),
            Adapter = source.Text(MaxTextBytes, "an adapter's digest"),
            StopTokenIds = source.All<int>(model.VocabularySize, "stop tokens").ToArray(),
            Media = Media(ref source, promptLength),
            Sampling = SamplingCodec.Read(ref source, model.VocabularySize),
        };
        CheckTokens(start.Tokens.Span, model.VocabularySize);
        CheckTokens(start.StopTokenIds.Span, model.VocabularySize);
        return start;
    }

    private static MediaSpan[] Media(ref WireReader source, int length)
    {
        MediaSpan[] media = new MediaSpan[source.Count(length, "media")];
        for (int i = 0; i < media.Length; i++)
        {
            int position = source.Int(0, length, "a media item's position");
            media[i] = new MediaSpan(position, source.Int(0, length - position, "a media item's length"), Elsewhere)
            {
                Bidirectional = source.Int(0, 1, "bidirectional") == 1,
            };
        }
        return media;
    }

    private static void CheckTokens(ReadOnlySpan<int> tokens, int vocabulary)
    {
        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)vocabulary)
            {
                throw WireReader.Bad($"token {token} of a vocabulary of {vocabulary}");
            }
        }
    }
}
