using MmCluster.Engine;

namespace MmCluster.Gateway.OpenAi;

/// <summary>Adds up the usage of a call: completion tokens of all choices, prompt tokens once a prompt.</summary>
internal sealed class UsageSum
{
    private readonly Dictionary<string, Usage> _prompts = [];
    private int _completion;

    public Usage Total => new(
        _prompts.Values.Sum(usage => usage.PromptTokens), _prompts.Values.Sum(usage => usage.CachedTokens), _completion);

    public void Add(in SequenceOutput output)
    {
        if (output.Usage is { } usage)
        {
            // The choice with the fewest cached tokens is the one that computed the prompt; the others found its work.
            _prompts[output.RequestId] = _prompts.TryGetValue(output.RequestId, out Usage? other) && other.CachedTokens < usage.CachedTokens ? other : usage;
            _completion += usage.CompletionTokens;
        }
    }
}
