using System.Net.Sockets;
using System.Text;
using MmCluster.Gateway.Hosting;
using MmCluster.Protos.V1;

namespace MmCluster.Gateway.Tests;

/// <summary>One port, both versions of HTTP in clear text.</summary>
public sealed class SharedPortTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Http_and_gRPC_answer_on_the_same_port()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        Assert.Equal("ok\n", await gateway.Http.GetStringAsync("/health", Stop));
        Assert.Equal("echo", Assert.Single((await gateway.Generation.ListModelsAsync(new ListModelsRequest(), cancellationToken: Stop)).Models).Name);
    }

    [Fact]
    public async Task A_port_of_its_own_is_there_when_asked_for()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel(), new GatewayOptions { GrpcPort = 0 });
        Assert.Equal("echo", Assert.Single((await gateway.Generation.ListModelsAsync(new ListModelsRequest(), cancellationToken: Stop)).Models).Name);
        Assert.Equal("ok\n", await gateway.Http.GetStringAsync("/health", Stop));
    }

    // POST, PUT, PATCH and PROPFIND begin like the preface: what was looked at must still be there.
    [Theory]
    [InlineData("GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "200 OK")]
    [InlineData("PROPFIND /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "404 Not Found")]
    [InlineData("PRI * HTTP/1.1\r\nhost: a\r\n\r\n", "405 Method Not Allowed")]
    public async Task Bytes_that_come_one_by_one_are_told_apart(string request, string status)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(gateway.Http.BaseAddress!.Host, gateway.Http.BaseAddress.Port, Stop);
        NetworkStream stream = client.GetStream();
        foreach (byte one in Encoding.ASCII.GetBytes(request))
        {
            await stream.WriteAsync(new[] { one }, Stop);
        }
        using var reader = new StreamReader(stream);
        Assert.Contains(status, await reader.ReadLineAsync(Stop), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_preface_that_stops_half_way_is_cut_off_and_others_do_not_wait()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(
            new EchoModel(), new GatewayOptions { RequestHeadersTimeout = TimeSpan.FromSeconds(1) });
        using var client = new TcpClient();
        await client.ConnectAsync(gateway.Http.BaseAddress!.Host, gateway.Http.BaseAddress.Port, Stop);
        await client.GetStream().WriteAsync("PRI * HTT"u8.ToArray(), Stop);
        Assert.Equal("ok\n", await gateway.Http.GetStringAsync("/health", Stop));
        await EndedAsync(client.GetStream());
    }

    // Cut off may look like an end or like a reset.
    private static async Task EndedAsync(NetworkStream stream)
    {
        try
        {
            Assert.Equal(0, await stream.ReadAsync(new byte[1], Stop));
        }
        catch (IOException)
        {
        }
    }
}
