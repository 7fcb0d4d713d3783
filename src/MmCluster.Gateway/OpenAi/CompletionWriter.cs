using System.Text.Json;
using MmCluster.Engine;

namespace MmCluster.Gateway.OpenAi;

/// <summary>Answers of /v1/completions.</summary>
internal sealed class CompletionWriter(string id, string model, long created, bool returnTokenIds, Func<int, string> tokenText)
    : AnswerWriter(id, model, created, returnTokenIds, tokenText)
{
    protected override string ChunkObject => "text_completion";

    protected override string WholeObject => "text_completion";

    protected override void WriteDelta(Utf8JsonWriter json, string text, bool first) => WriteText(json, text);

    protected override void WriteText(Utf8JsonWriter json, string text) => json.WriteString("text", text);

    protected override void WriteLogprobs(Utf8JsonWriter json, IReadOnlyList<OutputLogprobs>? logprobs)
    {
        if (logprobs is null)
        {
            json.WriteNull("logprobs");
            return;
        }
        json.WriteStartObject("logprobs");
        json.WriteStartArray("tokens");
        foreach (OutputLogprobs token in logprobs)
        {
            json.WriteStringValue(TokenText(token.Chosen.Id));
        }
        json.WriteEndArray();
        json.WriteStartArray("token_logprobs");
        foreach (OutputLogprobs token in logprobs)
        {
            json.WriteNumberValue(token.Chosen.Logprob);
        }
        json.WriteEndArray();
        json.WriteStartArray("top_logprobs");
        foreach (OutputLogprobs token in logprobs)
        {
            json.WriteStartObject();
            // Two tokens may have one text (parts of a character): the likelier keeps the key.
            foreach (TokenLogprob top in token.Top.DistinctBy(top => TokenText(top.Id)))
            {
                json.WriteNumber(TokenText(top.Id), top.Logprob);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
