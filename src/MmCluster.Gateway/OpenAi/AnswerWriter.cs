using System.Buffers;
using System.Text.Json;
using MmCluster.Engine;

namespace MmCluster.Gateway.OpenAi;

/// <summary>What differs between the answers of /v1/completions and /v1/chat/completions.</summary>
internal abstract class AnswerWriter(string id, string model, long created, bool returnTokenIds, Func<int, string> tokenText)
{
    protected bool ReturnTokenIds => returnTokenIds;

    /// <summary>The <c>object</c> of a stream's events.</summary>
    protected abstract string ChunkObject { get; }

    /// <summary>The <c>object</c> of a whole answer.</summary>
    protected abstract string WholeObject { get; }

    /// <summary>Writes an event that carries <paramref name="output"/>.</summary>
    public void WriteChunk(IBufferWriter<byte> target, Utf8JsonWriter json, in SequenceOutput output, bool first, bool nullUsage)
    {
        Begin(target, json, ChunkObject);
        json.WriteStartArray("choices");
        json.WriteStartObject();
        json.WriteNumber("index", output.Choice);
        WriteDelta(json, output.Text, first);
        WriteLogprobs(json, output.Choice, output.Logprobs);
        WriteFinish(json, output.Finish);
        if (returnTokenIds)
        {
            WriteTokenIds(json, output.TokenIds.Span);
        }
        json.WriteEndObject();
        json.WriteEndArray();
        if (nullUsage)
        {
            json.WriteNull("usage");
        }
        End(json);
    }

    /// <summary>Writes a stream's last event, which has no choices but the usage.</summary>
    public void WriteUsageChunk(IBufferWriter<byte> target, Utf8JsonWriter json, Usage usage)
    {
        Begin(target, json, ChunkObject);
        json.WriteStartArray("choices");
        json.WriteEndArray();
        WriteUsage(json, usage);
        End(json);
    }

    /// <summary>Writes the whole answer.</summary>
    public void WriteWhole(IBufferWriter<byte> target, Utf8JsonWriter json, IReadOnlyList<ChoiceText> choices, Usage usage)
    {
        Begin(target, json, WholeObject);
        json.WriteStartArray("choices");
        foreach (ChoiceText choice in choices)
        {
            json.WriteStartObject();
            json.WriteNumber("index", choice.Index);
            WriteText(json, choice.Text.ToString());
            WriteLogprobs(json, choice.Index, choice.Logprobs.Count > 0 ? choice.Logprobs : null);
            WriteFinish(json, choice.Finish);
            if (returnTokenIds)
            {
                WriteTokenIds(json, [.. choice.TokenIds]);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        WriteUsage(json, usage);
        End(json);
    }

    /// <summary>Writes a stream's piece of text.</summary>
    protected abstract void WriteDelta(Utf8JsonWriter json, string text, bool first);

    /// <summary>Writes a whole choice's text.</summary>
    protected abstract void WriteText(Utf8JsonWriter json, string text);

    /// <summary>Writes the property <c>logprobs</c>, null where none were asked for.</summary>
    protected abstract void WriteLogprobs(Utf8JsonWriter json, int choice, IReadOnlyList<OutputLogprobs>? logprobs);

    /// <summary>A token as text of its own.</summary>
    protected string TokenText(int token) => tokenText(token);

    private void Begin(IBufferWriter<byte> target, Utf8JsonWriter json, string kind)
    {
        json.Reset(target);
        json.WriteStartObject();
        json.WriteString("id", id);
        json.WriteString("object", kind);
        json.WriteNumber("created", created);
        json.WriteString("model", model);
    }

    private static void End(Utf8JsonWriter json)
    {
        json.WriteEndObject();
        json.Flush();
    }

    private static void WriteFinish(Utf8JsonWriter json, FinishReason? finish)
    {
        if (finish is { } reason)
        {
            json.WriteString("finish_reason", reason switch
            {
                FinishReason.Stop => "stop",
                FinishReason.Length => "length",
                FinishReason.Cancelled => "cancelled",
                _ => "error",
            });
        }
        else
        {
            json.WriteNull("finish_reason");
        }
    }

    private static void WriteTokenIds(Utf8JsonWriter json, ReadOnlySpan<int> ids)
    {
        json.WriteStartArray("token_ids");
        foreach (int token in ids)
        {
            json.WriteNumberValue(token);
        }
        json.WriteEndArray();
    }

    private static void WriteUsage(Utf8JsonWriter json, Usage usage)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", usage.PromptTokens);
        json.WriteNumber("completion_tokens", usage.CompletionTokens);
        json.WriteNumber("total_tokens", usage.PromptTokens + usage.CompletionTokens);
        json.WriteStartObject("prompt_tokens_details");
        json.WriteNumber("cached_tokens", usage.CachedTokens);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
