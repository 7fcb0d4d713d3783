using System.Net;
using MmCluster.Client;
using MmCluster.EndToEnd.Tests.Harness;
using MmCluster.Protos.V1;

namespace MmCluster.EndToEnd.Tests;

/// <summary>More than fits: nobody hangs, nothing stays behind.</summary>
public sealed class OverloadTests(SixProcesses six)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_hundred_requests_with_pictures_get_an_answer_or_are_refused()
    {
        ClusterGateway gateway = await six.GatewayAsync();
        byte[] picture = await File.ReadAllBytesAsync(SixProcesses.Picture, Stop);
        int served = 0;
        int refused = 0;
        await Task.WhenAll(Enumerable.Range(0, 200).Select(async i =>
        {
            if (await (i % 2 == 0 ? IsServedAsync(gateway, i, picture) : IsServedOverHttpAsync(gateway, i, picture)))
            {
                Interlocked.Increment(ref served);
            }
            else
            {
                Interlocked.Increment(ref refused);
            }
        }));
        Assert.Equal(200, served + refused);
        TestContext.Current.TestOutputHelper?.WriteLine($"{served} served, {refused} refused");
        // Two encoders and one backbone with queues of 64: what fits into the least of them is served at least, and not all fit.
        Assert.InRange(served, 64, 199);
        await gateway.UntilAsync(status => status.LeasedBytes() == 0 && status.IsIdle(), "something is still held", Patience);
    }

    private static async Task<bool> IsServedAsync(ClusterGateway gateway, int i, byte[] picture)
    {
        try
        {
            Streamed answer = await Streams.ReadAsync(gateway, Picture(1000 + i, tokens: 4, picture), cancellationToken: Stop);
            Assert.Equal(4, answer.Ids.Count);
            return true;
        }
        catch (MmClientException error) when (error.Code is "Unavailable" or "ResourceExhausted")
        {
            return false;
        }
    }

    // Whoever is refused learns by whom and when to come again.
    private static async Task<bool> IsServedOverHttpAsync(ClusterGateway gateway, int i, byte[] picture)
    {
        string url = $"data:image/png;base64,{Convert.ToBase64String(Streams.Unlike(picture, 2000 + i).Span)}";
        string body = $$$"""
            {"model":"mini","max_tokens":4,"stream":{{{(i % 4 == 1 ? "true" : "false")}}},
             "messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"{{{url}}}"}},{"type":"text","text":"What is it?"}]}]}
            """;
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await gateway.Http.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), content, Stop);
        string text = await answer.Content.ReadAsStringAsync(Stop);
        if (answer.StatusCode == HttpStatusCode.OK)
        {
            Assert.DoesNotContain("\"error\"", text, StringComparison.Ordinal);
            return true;
        }
        Assert.True(answer.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests, text);
        Assert.Equal(TimeSpan.FromSeconds(1), answer.Headers.RetryAfter?.Delta);
        Assert.Matches("the queue of (encoder|backbone) .* is full", text);
        return false;
    }

    private static GenerateRequest Picture(int i, int tokens, byte[] picture) => Streams.Long(i * 2, tokens, picture);
}
