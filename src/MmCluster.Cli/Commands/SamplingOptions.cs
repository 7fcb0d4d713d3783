using System.CommandLine;
using MmCluster.Engine;

namespace MmCluster.Cli.Commands;

/// <summary>The options that say how text is generated, the same on every command that does.</summary>
internal sealed class SamplingOptions
{
    private readonly Option<float> _temperature = new("--temperature") { Description = "0, the default, is greedy." };
    private readonly Option<int> _topK = new("--top-k") { Description = "Draw from the k best tokens; 0 is all." };
    private readonly Option<float> _topP = new("--top-p") { Description = "Draw from the fewest tokens of this probability.", DefaultValueFactory = _ => 1 };
    private readonly Option<float> _minP = new("--min-p") { Description = "Leave out tokens below this share of the best one's probability." };
    private readonly Option<float> _repetition = new("--repetition-penalty") { Description = "Above 1 avoids tokens seen.", DefaultValueFactory = _ => 1 };
    private readonly Option<float> _presence = new("--presence-penalty") { Description = "Above 0 avoids tokens generated." };
    private readonly Option<float> _frequency = new("--frequency-penalty") { Description = "Above 0 avoids tokens by how often they were generated." };
    private readonly Option<ulong?> _seed = new("--seed") { Description = "Makes drawing repeatable." };
    private readonly Option<int> _maxTokens = NumberOptions.Positive("--max-tokens", 512, "Longest answer.");
    private readonly Option<string[]> _stop = new("--stop") { Description = "Text that ends the answer; may be repeated." };

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [_temperature, _topK, _topP, _minP, _repetition, _presence, _frequency, _seed, _maxTokens, _stop];

    public SamplingParameters Read(ParseResult parsed) => new()
    {
        Temperature = parsed.GetValue(_temperature),
        TopK = parsed.GetValue(_topK),
        TopP = parsed.GetValue(_topP),
        MinP = parsed.GetValue(_minP),
        RepetitionPenalty = parsed.GetValue(_repetition),
        PresencePenalty = parsed.GetValue(_presence),
        FrequencyPenalty = parsed.GetValue(_frequency),
        Seed = parsed.GetValue(_seed) ?? unchecked((ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue)),
        MaxTokens = parsed.GetValue(_maxTokens),
        Stop = parsed.GetValue(_stop) ?? [],
    };
}
