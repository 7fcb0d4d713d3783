namespace MmCluster.Engine.Scheduling;

/// <summary>
/// How far a sequence's next chunk may reach: not past media whose features are not ready, and not into the middle of a span that attends in
/// both directions. The kinds of decoders differ here and nowhere else in the scheduler.
/// </summary>
internal sealed class ChunkRules(DecoderKind kind)
{
    /// <summary>End of the next chunk of at most <paramref name="budget"/> positions; the start itself when there can be none.</summary>
    public int EndOf(Sequence sequence, int budget)
    {
        int start = sequence.Planned;
        int end = start + Math.Min(sequence.Pending, budget);
        PromptLayout layout = sequence.Request.Layout;
        if (start >= sequence.PromptLength && kind != DecoderKind.CrossAttentionToMedia)
        {
            return end;
        }
        if (layout.EncoderMedia.Length > 0 && !EncoderReady(layout))
        {
            return start;
        }
        // Cross-attention layers read media from any later position; elsewhere computed positions need theirs no more.
        int first = kind == DecoderKind.CrossAttentionToMedia ? 0 : SkipPassed(sequence, layout.Media);
        for (int i = first; i < layout.Media.Length && layout.Media[i].Position < end; i++)
        {
            PromptMedia media = layout.Media[i];
            if (!media.Features.IsCompletedSuccessfully)
            {
                end = media.Position;
            }
            else if (media.Bidirectional && end < media.End)
            {
                end = media.Position;
            }
        }
        if (layout.Bidirectional && end < sequence.PromptLength)
        {
            return start;
        }
        return Math.Max(start, end);
    }

    /// <summary>End of the shortest next chunk that makes progress.</summary>
    public static int LeastEnd(Sequence sequence)
    {
        int end = sequence.Planned + 1;
        PromptLayout layout = sequence.Request.Layout;
        if (layout.Bidirectional && sequence.Planned < sequence.PromptLength)
        {
            return sequence.PromptLength;
        }
        foreach (PromptMedia media in layout.Media)
        {
            if (media.Bidirectional && media.Position < end && end < media.End)
            {
                end = media.End;
            }
        }
        return Math.Min(end, sequence.Reach);
    }

    private static int SkipPassed(Sequence sequence, PromptMedia[] media)
    {
        while (sequence.NextMedia < media.Length && media[sequence.NextMedia].End <= sequence.Planned)
        {
            sequence.NextMedia++;
        }
        return sequence.NextMedia;
    }

    private static bool EncoderReady(PromptLayout layout)
    {
        foreach (PromptMedia media in layout.EncoderMedia)
        {
            if (!media.Features.IsCompletedSuccessfully)
            {
                return false;
            }
        }
        return true;
    }
}
