using System.Text.Json;
using MmCluster.Engine;

namespace MmCluster.Gateway.OpenAi;

/// <summary>Answers of /v1/completions.</summary>
internal sealed class CompletionWriter(string id, string model, long created, bool returnTokenIds, Func<int, string> tokenText)
    : AnswerWriter(id, model, created, returnTokenIds, tokenText)
{
    // Where the next token of a choice begins, all tokens' texts before it put together: of a stream each event has its part.
    private readonly Dictionary<int, int> _offsets = [];

    protected override string ChunkObject => "text_completion";

    protected override string WholeObject => "text_completion";

    protected override void WriteDelta(Utf8JsonWriter json, string text, bool first) => WriteText(json, text);

    protected override void WriteText(Utf8JsonWriter json, string text) => json.WriteString("text", text);

    protected override void WriteLogprobs(Utf8JsonWriter json, int choice, IReadOnlyList<OutputLogprobs>? logprobs)
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
            // The drawn token is among them, so that there may be one more than asked for. Two tokens may have one text (parts of a
            // character): the likelier keeps the key.
            foreach (TokenLogprob top in token.Top.Append(token.Chosen).DistinctBy(top => TokenText(top.Id)))
            {
                json.WriteNumber(TokenText(top.Id), top.Logprob);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("text_offset");
        int offset = _offsets.GetValueOrDefault(choice);
        foreach (OutputLogprobs token in logprobs)
        {
            json.WriteNumberValue(offset);
            offset += TokenText(token.Chosen.Id).Length;
        }
        _offsets[choice] = offset;
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
