using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using MmCluster.EndToEnd.Tests.Harness;

namespace MmCluster.EndToEnd.Tests;

/// <summary>What must not hurt others, or reach what it should not, in front of a real cluster.</summary>
public sealed class HostileTests(SixProcesses six)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("http://127.0.0.1:1/a.png")]
    [InlineData("http://localhost/a.png")]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://[::1]/a.png")]
    [InlineData("http://0x7f.1/a.png")]
    [InlineData("file:///etc/passwd")]
    [InlineData("gopher://127.0.0.1/a")]
    [InlineData("data:image/png;base64,AAAA")]
    public async Task A_refused_address_or_a_broken_picture_is_400_with_the_parts_index(string url)
    {
        ClusterGateway gateway = await six.GatewayAsync();
        string body = JsonSerializer.Serialize(new
        {
            model = "mini",
            max_tokens = 4,
            messages = new[] { new { role = "user", content = new object[] { new { type = "text", text = "a" }, new { type = "image_url", image_url = new { url } } } } },
        });
        using HttpResponseMessage answer = await gateway.Http.PostAsync("/v1/chat/completions", new StringContent(body), Stop);
        using JsonDocument told = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Stop));
        Assert.Equal(
            (HttpStatusCode.BadRequest, "messages[0].content[1]"), (answer.StatusCode, told.RootElement.GetProperty("error").GetProperty("param").GetString()));
    }

    [Fact]
    public async Task Slow_and_endless_senders_do_not_hurt_others()
    {
        ClusterGateway gateway = await six.GatewayAsync();
        var slow = new List<TcpClient>();
        try
        {
            for (int i = 0; i < 200; i++)
            {
                var client = new TcpClient();
                slow.Add(client);
                await client.ConnectAsync(gateway.Address.Host, gateway.Address.Port, Stop);
                // Headers that never end, and bodies of which a byte comes.
                await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(i % 2 == 0
                    ? "POST /v1/completions HTTP/1.1\r\nhost: a\r\nx-slow: "
                    : "POST /v1/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{"), Stop);
            }
            using var endless = new TcpClient();
            await endless.ConnectAsync(gateway.Address.Host, gateway.Address.Port, Stop);
            await endless.GetStream().WriteAsync("POST /v1/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 10737418240\r\n\r\n"u8.ToArray(), Stop);
            using var reader = new StreamReader(endless.GetStream());
            Assert.Contains(" 4", await reader.ReadLineAsync(Stop), StringComparison.Ordinal);

            using HttpResponseMessage answer = await gateway.Http.PostAsync(
                "/v1/completions", new StringContent("""{"model":"mini","prompt":"a","max_tokens":4}"""), Stop);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
        finally
        {
            slow.ForEach(client => client.Dispose());
        }
    }
}
