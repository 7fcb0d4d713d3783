using System.Runtime.CompilerServices;
using System.Text;
using MmCluster.Engine;
using MmCluster.Engine.Encoders;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Models;
using MmCluster.Models;

namespace MmCluster.Gateway.Tests;

/// <summary>Answers with the prompt's tokens or words, one an entry; can be told to fail at an entry.</summary>
internal sealed class EchoModel : IServedModel
{
    public string Id { get; init; } = "echo";

    public ServedModelInfo Info { get; } = new(DateTimeOffset.UnixEpoch, 4096, 1000);

    public bool Ready { get; set; } = true;

    public EncoderStatistics? Encoders { get; init; }

    public SamplingParameters DefaultSampling { get; } = new() { Temperature = 0.25f };

    /// <summary>The entry that fails, or null.</summary>
    public int? FailAt { get; init; }

    /// <summary>The entry before which it waits until it is cancelled, or null.</summary>
    public int? HangAt { get; init; }

    /// <summary>Ends when it has begun to wait.</summary>
    public TaskCompletionSource Hanging { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when what waited was freed.</summary>
    public TaskCompletionSource Freed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Whether all tokens come in one entry, as an accepted draft brings them.</summary>
    public bool AllAtOnce { get; init; }

    public List<ModelRequest> Seen { get; } = [];

    public string TokenText(int token) => $"t{token}";

    public async IAsyncEnumerable<SequenceOutput> GenerateAsync(
        ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        lock (Seen)
        {
            Seen.Add(request);
        }
        await Task.Yield();
        string[] words = Words(request.Input);
        int count = Math.Min(words.Length, request.Sampling.MaxTokens ?? int.MaxValue);
        if (AllAtOnce)
        {
            yield return new SequenceOutput(request.Id, 0, 0, Enumerable.Range(0, count).ToArray(), string.Concat(words[..count]), FinishReason.Stop)
            {
                Usage = new Usage(words.Length, 0, count),
                Logprobs = [.. Enumerable.Range(0, count).Select(i => new OutputLogprobs(new TokenLogprob(i, -i), []))],
            };
            yield break;
        }
        for (int i = 0; i < count; i++)
        {
            if (i == HangAt)
            {
                try
                {
                    Hanging.TrySetResult();
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                }
                finally
                {
                    Freed.TrySetResult();
                }
            }
            for (int choice = 0; choice < request.Sampling.Choices; choice++)
            {
                if (i == FailAt)
                {
                    var error = new MmException(MmErrorCode.Unavailable, "the stage is gone");
                    yield return new SequenceOutput(request.Id, choice, i, default, "", FinishReason.Error) { Error = error };
                    yield break;
                }
                bool last = i == count - 1;
                yield return new SequenceOutput(request.Id, choice, i, new[] { i }, words[i], last ? FinishReason.Stop : null)
                {
                    Usage = last ? new Usage(words.Length, 0, count) : null,
                    Logprobs = request.Sampling.Logprobs is null ? null : [new OutputLogprobs(new TokenLogprob(i, -0.5f), [new TokenLogprob(i, -0.5f)])],
                };
            }
        }
    }

    private static string[] Words(ModelInput input) => input switch
    {
        ModelInput.Tokens tokens => [.. tokens.Ids.ToArray().Select(id => $"<{id}>")],
        ModelInput.Text text => [.. text.Prompt.Split(' ').Select(word => word + " ")],
        ModelInput.Chat chat => [.. chat.Turns[^1].Parts.Select(part => part switch
        {
            ChatPart.Text text => text.Value,
            ChatPart.Media media => $"[{media.Item.Modality}:{Encoding.Latin1.GetString(media.Item.Bytes.Span)}]",
            _ => throw new ArgumentOutOfRangeException(nameof(input)),
        })],
        _ => throw new ArgumentOutOfRangeException(nameof(input)),
    };
}
