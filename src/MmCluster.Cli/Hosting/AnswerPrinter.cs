using System.Diagnostics;
using System.Text;
using MmCluster.Engine;

namespace MmCluster.Cli.Hosting;

/// <summary>Prints one answer as it is generated and keeps what was said.</summary>
internal sealed class AnswerPrinter(TextWriter? target)
{
    private readonly StringBuilder _text = new();
    private readonly List<int> _ids = [];
    private readonly List<OutputLogprobs> _logprobs = [];

    private bool _begun;

    public string Text => _text.ToString();

    public IReadOnlyList<int> TokenIds => _ids;

    public IReadOnlyList<OutputLogprobs> Logprobs => _logprobs;

    public FinishReason? Finish { get; private set; }

    public Usage? Usage { get; private set; }

    /// <summary>Seconds from asking to the first token.</summary>
    public double FirstTokenSeconds { get; private set; }

    /// <summary>Seconds from asking to the last token.</summary>
    public double Seconds { get; private set; }

    /// <summary>Tokens a second over all of that time. (Between tokens there may be nothing to measure: a late reader finds them all at once.)</summary>
    public double TokensPerSecond => _ids.Count / Seconds;

    /// <summary>Reads the answer to its end.</summary>
    /// <exception cref="Models.MmException">The request failed.</exception>
    public async Task RunAsync(IAsyncEnumerable<SequenceOutput> answer, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        await foreach (SequenceOutput output in answer.WithCancellation(cancellationToken))
        {
            if (output.Error is { } error)
            {
                throw error;
            }
            if (_ids.Count == 0 && output.TokenIds.Length > 0)
            {
                FirstTokenSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
            _ids.AddRange(output.TokenIds.Span);
            _logprobs.AddRange(output.Logprobs ?? []);
            _text.Append(output.Text);
            Finish = output.Finish;
            Usage = output.Usage ?? Usage;
            await PrintAsync(output.Text, cancellationToken);
        }
        cancellationToken.ThrowIfCancellationRequested();
        Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    // Many models begin with the space that follows the prompt; on a terminal it is noise.
    private async Task PrintAsync(string text, CancellationToken cancellationToken)
    {
        string shown = _begun ? text : text.TrimStart();
        if (target is not null && shown.Length > 0)
        {
            _begun = true;
            await target.WriteAsync(shown);
            await target.FlushAsync(cancellationToken);
        }
    }
}
