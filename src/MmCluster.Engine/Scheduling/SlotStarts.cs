namespace MmCluster.Engine.Scheduling;

/// <summary>Makes the message with which a sequence enters its slot.</summary>
internal static class SlotStarts
{
    public static SlotStart Of(Sequence sequence)
    {
        PromptLayout layout = sequence.Request.Layout;
        return new SlotStart
        {
            Slot = sequence.Slot,
            // No copy: what is appended later lies behind it.
            Tokens = sequence.TokenMemory(),
            PromptLength = sequence.PromptLength,
            Media = Spans(layout.Media),
            EncoderTokens = layout.EncoderTokens,
            EncoderMedia = Spans(layout.EncoderMedia),
            EncoderOf = layout.EncoderTokens.Length > 0 ? RunningSibling(sequence) : null,
            Sampling = sequence.Request.Request.Sampling,
            Choice = sequence.Choice,
            StopTokenIds = sequence.Output.StopTokenIds,
            Adapter = sequence.Request.Request.Adapter,
            CachedLength = sequence.Planned,
        };
    }

    private static MediaSpan[] Spans(PromptMedia[] media) =>
        media.Length == 0 ? [] : [.. media.Select(item => new MediaSpan(item.Position, item.Length, item.Features) { Bidirectional = item.Bidirectional })];

    private static int? RunningSibling(Sequence sequence)
    {
        foreach (Sequence other in sequence.Request.Sequences)
        {
            if (other != sequence && other.State == SequenceState.Running)
            {
                return other.Slot;
            }
        }
        return null;
    }
}
