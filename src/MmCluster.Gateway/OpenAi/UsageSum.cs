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
            _prompts[output.RequestId] = usage;
            _completion += usage.CompletionTokens;
        }
    }
}
