using System.Text;
using MmCluster.Engine;

namespace MmCluster.Gateway.OpenAi;

/// <summary>A choice of a whole answer while its pieces come in.</summary>
internal sealed class ChoiceText(int index)
{
    public int Index => index;

    public StringBuilder Text { get; } = new();

    public List<int> TokenIds { get; } = [];

    public List<OutputLogprobs> Logprobs { get; } = [];

    public FinishReason? Finish { get; private set; }

    public Usage? Usage { get; private set; }

    public void Add(in SequenceOutput output)
    {
        Text.Append(output.Text);
        TokenIds.AddRange(output.TokenIds.Span);
        Logprobs.AddRange(output.Logprobs ?? []);
        Finish = output.Finish;
        Usage = output.Usage ?? Usage;
    }
}
