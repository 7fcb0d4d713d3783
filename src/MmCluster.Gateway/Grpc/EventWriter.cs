using Google.Protobuf;
using MmCluster.Engine;
using MmCluster.Models;
using MmCluster.Protos.V1;
using FinishReason = MmCluster.Engine.FinishReason;
using TokenLogprob = MmCluster.Engine.TokenLogprob;
using Wire = MmCluster.Protos.V1;

namespace MmCluster.Gateway.Grpc;

/// <summary>
/// Entries of a generation as events. One event object serves a whole call: it is serialized before the write that it was given to ends, so
/// steady streams allocate none. Not thread-safe.
/// </summary>
internal sealed class EventWriter(string requestId, bool returnTokenIds)
{
    private readonly GenerateEvent _event = new() { RequestId = requestId };

    /// <summary>The event of an entry; valid until the next call.</summary>
    public GenerateEvent Of(in SequenceOutput output)
    {
        GenerateEvent target = _event;
        target.Choice = output.Choice;
        target.SequenceNumber = output.SequenceNumber;
        target.Text = output.Text;
        target.TokenIds.Clear();
        if (returnTokenIds)
        {
            foreach (int id in output.TokenIds.Span)
            {
                target.TokenIds.Add(id);
            }
        }
        target.Logprobs.Clear();
        foreach (OutputLogprobs token in output.Logprobs ?? [])
        {
            target.Logprobs.Add(Logprobs(token));
        }
        target.Media = output.Media is { } media ? new MediaChunk { MediaType = media.ContentType, Data = UnsafeByteOperations.UnsafeWrap(media.Bytes), Last = true } : null;
        target.Progress = output.Progress is { } progress ? new Progress { Stage = progress.Stage, Step = progress.Step, Steps = progress.Steps } : null;
        target.FinishReason = Finish(output.Finish);
        target.Usage = output.Usage is not { } usage ? null : new Wire.Usage
        {
            PromptTokens = usage.PromptTokens,
            CachedTokens = usage.CachedTokens,
            CompletionTokens = usage.CompletionTokens,
        };
        target.Error = output.Error is { } error ? Failure(error) : null;
        return target;
    }

    private static TokenLogprobs Logprobs(OutputLogprobs token)
    {
        var result = new TokenLogprobs { TokenId = token.Chosen.Id, Logprob = token.Chosen.Logprob };
        foreach (TokenLogprob top in token.Top)
        {
            result.Top.Add(new Wire.TokenLogprob { TokenId = top.Id, Logprob = top.Logprob });
        }
        return result;
    }

    private static Wire.FinishReason Finish(FinishReason? finish) => finish switch
    {
        null => Wire.FinishReason.Unspecified,
        FinishReason.Stop => Wire.FinishReason.Stop,
        FinishReason.Length => Wire.FinishReason.Length,
        FinishReason.Cancelled => Wire.FinishReason.Cancelled,
        _ => Wire.FinishReason.Error,
    };

    private static Error Failure(MmException error) => new()
    {
        Code = error.Code.ToString(),
        Message = RpcErrors.MessageOf(error),
        Param = error.Param ?? "",
        Stage = error.Stage ?? "",
        Retryable = error.Retryable,
    };
}
