namespace MmCluster.Tokenizers.PostProcessors;

/// <summary>Puts special tokens around a sequence. Thread-safe.</summary>
internal abstract class PostProcessor
{
    /// <summary>The sequence with its special tokens.</summary>
    public abstract List<int> Apply(List<int> ids);
}

/// <summary>A row of ids with places (null) for the sequence: every published kind comes down to it for one sequence.</summary>
internal sealed class TemplatePostProcessor(IReadOnlyList<int?> template) : PostProcessor
{
    public override List<int> Apply(List<int> ids)
    {
        var result = new List<int>(ids.Count + template.Count);
        foreach (int? item in template)
        {
            if (item is { } id)
            {
                result.Add(id);
            }
            else
            {
                result.AddRange(ids);
            }
        }
        return result;
    }
}

/// <summary>One after the other.</summary>
internal sealed class SequencePostProcessor(IReadOnlyList<PostProcessor> parts) : PostProcessor
{
    public override List<int> Apply(List<int> ids)
    {
        foreach (PostProcessor part in parts)
        {
            ids = part.Apply(ids);
        }
        return ids;
    }
}
