using System.Text;
using System.Text.Json;
using MmCluster.Engine;

namespace MmCluster.Gateway.OpenAi;

/// <summary>Answers of /v1/chat/completions.</summary>
internal sealed class ChatWriter(string id, string model, long created, bool returnTokenIds, Func<int, string> tokenText)
    : AnswerWriter(id, model, created, returnTokenIds, tokenText)
{
    protected override string ChunkObject => "chat.completion.chunk";

    protected override string WholeObject => "chat.completion";

    protected override void WriteDelta(Utf8JsonWriter json, string text, bool first)
    {
        json.WriteStartObject("delta");
        if (first)
        {
            json.WriteString("role", "assistant");
        }
        json.WriteString("content", text);
        json.WriteEndObject();
    }

    protected override void WriteText(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject("message");
        json.WriteString("role", "assistant");
        json.WriteString("content", text);
        json.WriteNull("refusal");
        json.WriteEndObject();
    }

    protected override void WriteLogprobs(Utf8JsonWriter json, int choice, IReadOnlyList<OutputLogprobs>? logprobs)
    {
        if (logprobs is null)
        {
            json.WriteNull("logprobs");
            return;
        }
        json.WriteStartObject("logprobs");
        json.WriteStartArray("content");
        foreach (OutputLogprobs token in logprobs)
        {
            json.WriteStartObject();
            WriteToken(json, token.Chosen);
            json.WriteStartArray("top_logprobs");
            foreach (TokenLogprob top in token.Top)
            {
                json.WriteStartObject();
                WriteToken(json, top);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteNull("refusal");
        json.WriteEndObject();
    }

    private void WriteToken(Utf8JsonWriter json, TokenLogprob token)
    {
        string text = TokenText(token.Id);
        json.WriteString("token", text);
        json.WriteNumber("logprob", token.Logprob);
        json.WriteStartArray("bytes");
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            json.WriteNumberValue(value);
        }
        json.WriteEndArray();
    }
}
