using System.Text.Json;

namespace MmCluster.Gateway.Tests.OpenAi;

public sealed class ChatCompletionsTests
{
    private const string WithPicture = """
        {"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,UE5H"}},{"type":"text","text":"what?"}]}]}
        """;

    [Fact]
    public async Task Media_parts_keep_their_place_and_bytes()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        (int status, JsonElement body) = await gateway.PostAsync("/v1/chat/completions", WithPicture);
        Assert.Equal(200, status);
        Assert.Equal("[Image:PNG]what?", body.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
    }

    [Fact]
    public async Task A_streams_first_event_names_the_role_once()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        string[] events = await gateway.StreamAsync("/v1/chat/completions", WithPicture.Replace("{\"messages\"", "{\"stream\":true,\"messages\"", StringComparison.Ordinal));
        JsonElement[] deltas = [.. events[..^1].Select(data => JsonDocument.Parse(data).RootElement.GetProperty("choices")[0].GetProperty("delta"))];
        Assert.Equal([true, false], deltas.Select(delta => delta.TryGetProperty("role", out _)));
    }

    [Theory]
    [InlineData("http://127.0.0.1/a.png")]
    [InlineData("file:///etc/passwd")]
    [InlineData("data:image/png;base64,@@")]
    [InlineData("data:image/png,abc")]
    public async Task A_refused_url_is_400_with_the_parts_index(string url)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        string request = WithPicture.Replace("data:image/png;base64,UE5H", url, StringComparison.Ordinal);
        (int status, JsonElement body) = await gateway.PostAsync("/v1/chat/completions", request);
        Assert.Equal((400, "messages[0].content[0]"), (status, body.GetProperty("error").GetProperty("param").GetString()));
    }

    [Fact]
    public async Task Logprobs_list_the_token_and_its_bytes()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        (_, JsonElement body) = await gateway.PostAsync(
            "/v1/chat/completions", """{"messages":[{"role":"user","content":"hi"}],"logprobs":true,"top_logprobs":1}""");
        JsonElement token = body.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("content")[0];
        Assert.Equal("t0", token.GetProperty("token").GetString());
        Assert.Equal(-0.5, token.GetProperty("top_logprobs")[0].GetProperty("logprob").GetDouble());
        Assert.Equal([116, 48], token.GetProperty("bytes").EnumerateArray().Select(value => value.GetInt32()));
    }
}
