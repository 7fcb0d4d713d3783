namespace MmCluster.Tokenizers.Normalizers;

/// <summary>Rewrites text before it is cut into words. Thread-safe.</summary>
internal abstract class Normalizer
{
    /// <summary>The text as the vocabulary expects it.</summary>
    public abstract TaintedText Apply(TaintedText text);
}

/// <summary>One after the other.</summary>
internal sealed class SequenceNormalizer(IReadOnlyList<Normalizer> parts) : Normalizer
{
    public override TaintedText Apply(TaintedText text)
    {
        foreach (Normalizer part in parts)
        {
            text = part.Apply(text);
        }
        return text;
    }
}
