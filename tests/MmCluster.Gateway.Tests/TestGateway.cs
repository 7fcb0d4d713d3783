using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using Grpc.Net.Client;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Models;
using MmCluster.Protos.V1;

namespace MmCluster.Gateway.Tests;

/// <summary>A gateway on a free port and a client for it.</summary>
internal sealed class TestGateway : IAsyncDisposable
{
    private readonly GatewayServer _server;

    private TestGateway(GatewayServer server) => (_server, Http) = (server, new HttpClient { BaseAddress = server.Address });

    public HttpClient Http { get; }

    public GrpcChannel Channel => field ??= GrpcChannel.ForAddress(_server.GrpcAddress);

    public Generation.GenerationClient Generation => new(Channel);

    public static async Task<TestGateway> StartAsync(IServedModel model, GatewayOptions? options = null, TimeProvider? time = null) => new(await GatewayServer.StartAsync(
        new ServedModels([model]), (options ?? new GatewayOptions()) with { Port = 0 }, time ?? TimeProvider.System, TestContext.Current.CancellationToken));

    public async Task<GenerateEvent[]> GenerateAsync(GenerateRequest request, Metadata? headers = null)
    {
        using AsyncServerStreamingCall<GenerateEvent> call = Generation.Generate(request, headers, cancellationToken: TestContext.Current.CancellationToken);
        var events = new List<GenerateEvent>();
        while (await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken))
        {
            events.Add(call.ResponseStream.Current);
        }
        return [.. events];
    }

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

    public Task StopAsync() => _server.DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        Channel.Dispose();
        await _server.DisposeAsync();
    }
}
