using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Models;

namespace MmCluster.Gateway.Tests;

/// <summary>A gateway on a free port and a client for it.</summary>
internal sealed class TestGateway : IAsyncDisposable
{
    private readonly GatewayServer _server;

    private TestGateway(GatewayServer server) => (_server, Http) = (server, new HttpClient { BaseAddress = server.Address });

    public HttpClient Http { get; }

    public static async Task<TestGateway> StartAsync(IServedModel model, GatewayOptions? options = null, TimeProvider? time = null) => new(await GatewayServer.StartAsync(
        new ServedModels([model]), (options ?? new GatewayOptions()) with { Port = 0 }, time ?? TimeProvider.System, TestContext.Current.CancellationToken));

    public async Task<(int Status, JsonElement Body)> PostAsync(string route, string json)
    {
        using HttpResponseMessage response =
            await Http.PostAsync(route, JsonContent.Create(JsonNode.Parse(json)), TestContext.Current.CancellationToken);
        string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return ((int)response.StatusCode, JsonDocument.Parse(text).RootElement);
    }

    /// <summary>The data of each event.</summary>
    public async Task<string[]> StreamAsync(string route, string json)
    {
        using HttpResponseMessage response =
            await Http.PostAsync(route, JsonContent.Create(JsonNode.Parse(json)), TestContext.Current.CancellationToken);
        string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line["data: ".Length..])];
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _server.DisposeAsync();
    }
}
