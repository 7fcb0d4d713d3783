using System.Text.Json;

using MmCluster.Engine;
using MmCluster.Engine.Hosting;

namespace MmCluster.Gateway.Tests.OpenAi;

public sealed class CompletionsTests
{
    [Fact]
    public async Task A_whole_answer_joins_the_entries_and_counts_tokens()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        (int status, JsonElement body) = await gateway.PostAsync("/v1/completions", """{"model":"echo","prompt":"a b c","unknown_field":1}""");
        Assert.Equal(200, status);
        Assert.Equal("a b c ", body.GetProperty("choices")[0].GetProperty("text").GetString());
        Assert.Equal("stop", body.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(6, body.GetProperty("usage").GetProperty("total_tokens").GetInt32());
    }

    [Fact]
    public async Task A_stream_has_one_event_an_entry_then_usage_then_done()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        string[] events = await gateway.StreamAsync(
            "/v1/completions", """{"prompt":[5,6],"stream":true,"stream_options":{"include_usage":true},"return_token_ids":true}""");
        Assert.Equal(4, events.Length);
        JsonElement first = JsonDocument.Parse(events[0]).RootElement.GetProperty("choices")[0];
        Assert.Equal(("<5>", 0), (first.GetProperty("text").GetString(), first.GetProperty("token_ids")[0].GetInt32()));
        Assert.Equal(2, JsonDocument.Parse(events[2]).RootElement.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal("[DONE]", events[3]);
    }

    [Fact]
    public async Task Tokens_that_come_at_once_are_an_event_each()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel { AllAtOnce = true });
        string[] events = await gateway.StreamAsync("/v1/completions", """{"prompt":"a b c","stream":true,"return_token_ids":true,"logprobs":0}""");
        JsonElement[] choices = [.. events[..^1].Select(text => JsonDocument.Parse(text).RootElement.GetProperty("choices")[0])];
        Assert.Equal(["[0]", "[1]", "[2]"], choices.Select(choice => choice.GetProperty("token_ids").GetRawText()));
        Assert.Equal(["[0]", "[-1]", "[-2]"], choices.Select(choice => choice.GetProperty("logprobs").GetProperty("token_logprobs").GetRawText()));
        Assert.Equal(["", "", "a b c "], choices.Select(choice => choice.GetProperty("text").GetString()));
        Assert.Equal([null, null, "stop"], choices.Select(choice => choice.GetProperty("finish_reason").GetString()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Logprobs_tell_where_tokens_begin_and_hold_the_drawn_token(bool stream)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel { AllAtOnce = true });
        const string fields = """{"prompt":"a b c","logprobs":0,"bad_words":[]""";
        JsonElement[] parts = stream
            ? [.. (await gateway.StreamAsync("/v1/completions", fields + ""","stream":true}"""))[..^1].Select(text => JsonDocument.Parse(text).RootElement)]
            : [(await gateway.PostAsync("/v1/completions", fields + "}")).Body];
        JsonElement[] logprobs = [.. parts.Select(part => part.GetProperty("choices")[0].GetProperty("logprobs"))];
        // Tokens are t0, t1, t2.
        Assert.Equal([0, 2, 4], logprobs.SelectMany(part => part.GetProperty("text_offset").EnumerateArray()).Select(offset => offset.GetInt32()));
        Assert.Equal(
            ["""{"t0":0}""", """{"t1":-1}""", """{"t2":-2}"""],
            logprobs.SelectMany(part => part.GetProperty("top_logprobs").EnumerateArray()).Select(top => top.GetRawText()));
    }

    [Theory]
    [InlineData("""{"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"integer"}}}}""", """{"type":"integer"}""", null)]
    [InlineData("""{"response_format":{"type":"regex","pattern":"a+"}}""", null, "a+")]
    [InlineData("""{"structured_outputs":{"json":{"type":"integer"}}}""", """{"type":"integer"}""", null)]
    [InlineData("""{"structured_outputs":{"regex":"a+"}}""", null, "a+")]
    [InlineData("""{"guided_json":{"type":"integer"}}""", """{"type":"integer"}""", null)]
    [InlineData("""{"guided_regex":"a+"}""", null, "a+")]
    [InlineData("""{"response_format":{"type":"regex","regex":"a+"}}""", null, "a+")]
    [InlineData("""{"structured_outputs":{"choice":["x+","é 1"]}}""", null, """x\+|é\ 1""")]
    [InlineData("""{"structured_outputs":{"json_object":true}}""", """{"type":"object"}""", null)]
    [InlineData("""{"guided_choice":["a","b"]}""", null, "a|b")]
    [InlineData("""{"response_format":{"type":"json_object"}}""", """{"type":"object"}""", null)]
    [InlineData("""{"response_format":{"type":"text"}}""", null, null)]
    public async Task Structured_output_is_read_under_OpenAIs_and_vLLMs_names(string fields, string? schema, string? regex)
    {
        var model = new EchoModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        (int status, _) = await gateway.PostAsync("/v1/completions", $$"""{"prompt":"a",{{fields[1..]}}""");
        Assert.Equal(200, status);
        StructuredOutput? seen = Assert.Single(model.Seen).Sampling.Structure;
        Assert.Equal((schema, regex), ((seen as StructuredOutput.JsonSchema)?.Schema, (seen as StructuredOutput.Regex)?.Pattern));
    }

    [Fact]
    public async Task Several_prompts_and_choices_are_numbered_prompt_by_prompt()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        (_, JsonElement body) = await gateway.PostAsync("/v1/completions", """{"prompt":["a","b"],"n":2}""");
        Assert.Equal(["a ", "a ", "b ", "b "], body.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("text").GetString()));
    }

    [Fact]
    public async Task The_models_sampling_defaults_fill_what_a_request_leaves_open()
    {
        var model = new EchoModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        await gateway.PostAsync("/v1/completions", """{"prompt":"a","top_k":7,"seed":-1,"stop":"x"}""");
        ModelRequest seen = Assert.Single(model.Seen);
        Assert.Equal((0.25f, 7, ulong.MaxValue, 16), (seen.Sampling.Temperature, seen.Sampling.TopK, seen.Sampling.Seed, seen.Sampling.MaxTokens));
        Assert.Equal(["x"], seen.Sampling.Stop);
    }

    [Theory]
    [InlineData("""{"prompt":"a","temperature":3}""", 400, "temperature")]
    [InlineData("""{"prompt":"a","temperature":"hot"}""", 400, "temperature")]
    [InlineData("""{"prompt":[1,-2]}""", 400, "prompt")]
    [InlineData("""{}""", 400, "prompt")]
    [InlineData("""{"prompt":"a","n":0}""", 400, "n")]
    [InlineData("""{"prompt":"a","response_format":{"type":"xml"}}""", 400, "response_format.type")]
    [InlineData("""{"prompt":"a","response_format":{}}""", 400, "response_format.type")]
    [InlineData("""{"prompt":"a","structured_outputs":{"choice":[]}}""", 400, "structured_outputs.choice")]
    [InlineData("""{"prompt":"a","structured_outputs":{"choice":"x"}}""", 400, "structured_outputs.choice")]
    [InlineData("""{"prompt":"a","structured_outputs":{"grammar":"x"}}""", 400, "grammar")]
    [InlineData("""{"prompt":"a","structured_outputs":{}}""", 400, "structured_outputs")]
    [InlineData("""{"prompt":"a","guided_grammar":"x"}""", 400, "guided_grammar")]
    [InlineData("""{"prompt":"a","bad_words":["x"]}""", 400, "bad_words")]
    [InlineData("""{"prompt":"a","allowed_token_ids":[1]}""", 400, "allowed_token_ids")]
    [InlineData("""{"prompt":"a","modalities":["text","audio"]}""", 400, "modalities")]
    [InlineData("""{"prompt":"a","modalities":[1]}""", 400, "modalities")]
    [InlineData("""{"prompt":"a","audio":{"voice":"alloy","format":"wav"}}""", 400, "audio")]
    [InlineData("""{"prompt":"a","stream_options":{"include_usage":true}}""", 400, "stream_options")]
    [InlineData("""{"prompt":"a","echo":true}""", 400, "echo")]
    [InlineData("""{"prompt":"a","suffix":"b"}""", 400, "suffix")]
    [InlineData("""{"prompt":"a","best_of":2}""", 400, "best_of")]
    [InlineData("""{"model":"other","prompt":"a"}""", 404, "model")]
    [InlineData("""{"prompt":"a","revision":"r2"}""", 404, "revision")]
    public async Task A_bad_field_is_named_in_OpenAIs_error_shape(string request, int expected, string param)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        (int status, JsonElement body) = await gateway.PostAsync("/v1/completions", request);
        JsonElement error = body.GetProperty("error");
        Assert.Equal((expected, param, "invalid_request_error"),
            (status, error.GetProperty("param").GetString(), error.GetProperty("type").GetString()));
    }

    [Fact]
    public async Task A_failure_before_the_first_byte_is_a_status()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel { FailAt = 0 });
        (int status, _) = await gateway.PostAsync("/v1/completions", """{"prompt":"a b","stream":true}""");
        Assert.Equal(503, status);
    }

    [Fact]
    public async Task A_failure_in_a_stream_is_its_last_event()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel { FailAt = 1 });
        string[] events = await gateway.StreamAsync("/v1/completions", """{"prompt":"a b","stream":true}""");
        Assert.Equal(2, events.Length);
        Assert.Equal("the stage is gone", JsonDocument.Parse(events[1]).RootElement.GetProperty("error").GetProperty("message").GetString());
    }
}
