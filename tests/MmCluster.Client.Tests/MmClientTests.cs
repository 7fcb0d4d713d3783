using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Models;
using MmCluster.Gateway.Tests;
using MmCluster.Protos.V1;

namespace MmCluster.Client.Tests;

public sealed class MmClientTests
{
    private static readonly byte[] Picture = [0x89, .. "PNG\r\n"u8, 26, 10, .. "rest"u8];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    // The README's example, but for the address and the file.
    [Fact]
    public async Task An_uploaded_picture_is_asked_about()
    {
        await using GatewayServer server = await StartAsync(new EchoModel());
        using var client = new MmClient(server.GrpcAddress);
        using var file = new MemoryStream(Picture);
        UploadResponse photo = await client.UploadAsync(file, Stop);
        var answer = new List<string>();
        await foreach (string text in client.AskAsync("What is this?", [new MediaSource { UploadId = photo.UploadId }], cancellationToken: Stop))
        {
            answer.Add(text);
        }
        Assert.Equal(2, answer.Count);
        Assert.StartsWith("[Image:", answer[0], StringComparison.Ordinal);
        Assert.Equal("What is this?", answer[1]);
    }

    [Fact]
    public async Task Events_carry_ids_and_usage_and_models_are_listed_under_a_key()
    {
        await using GatewayServer server = await StartAsync(new EchoModel(), "secret");
        using var client = new MmClient(server.GrpcAddress, new MmClientOptions { ApiKey = "secret", Timeout = TimeSpan.FromMinutes(1) });
        Assert.Equal("echo", Assert.Single(await client.ListModelsAsync(Stop)).Name);
        var events = new List<GenerateEvent>();
        await foreach (GenerateEvent piece in client.GenerateAsync(new GenerateRequest { Text = "a b", ReturnTokenIds = true }, Stop))
        {
            events.Add(piece.Clone());
        }
        Assert.Equal(["a ", "b "], events.Select(piece => piece.Text));
        Assert.Equal(2, events[^1].Usage.CompletionTokens);
    }

    [Fact]
    public async Task A_refusal_names_code_and_field()
    {
        await using GatewayServer server = await StartAsync(new EchoModel());
        using var client = new MmClient(server.GrpcAddress);
        MmClientException error = await Assert.ThrowsAsync<MmClientException>(async () =>
        {
            await foreach (string _ in client.AskAsync("a", model: "other", cancellationToken: Stop))
            {
            }
        });
        Assert.Equal(("NotFound", "model", false), (error.Code, error.Param, error.Retryable));
        error = await Assert.ThrowsAsync<MmClientException>(() => client.UploadAsync(new MemoryStream(), Stop));
        Assert.Equal("InvalidArgument", error.Code);
    }

    [Fact]
    public async Task Without_its_key_a_client_is_refused()
    {
        await using GatewayServer server = await StartAsync(new EchoModel(), "secret");
        using var client = new MmClient(server.GrpcAddress);
        Assert.Equal("Unauthenticated", (await Assert.ThrowsAsync<MmClientException>(() => client.ListModelsAsync(Stop))).Code);
    }

    [Fact]
    public async Task Leaving_the_stream_early_frees_the_work()
    {
        var model = new EchoModel { HangAt = 1 };
        await using GatewayServer server = await StartAsync(model);
        using var client = new MmClient(server.GrpcAddress);
        await foreach (GenerateEvent _ in client.GenerateAsync(new GenerateRequest { Text = "a b" }, Stop))
        {
            break;
        }
        await model.Freed.Task.WaitAsync(Stop);
    }

    [Fact]
    public async Task Cancelling_is_the_callers_own_doing()
    {
        var model = new EchoModel { HangAt = 0 };
        await using GatewayServer server = await StartAsync(model);
        using var client = new MmClient(server.GrpcAddress);
        using var stop = new CancellationTokenSource();
        Task read = Task.Run(
            async () =>
            {
                await foreach (GenerateEvent _ in client.GenerateAsync(new GenerateRequest { Text = "a b" }, stop.Token))
                {
                }
            },
            Stop);
        await model.Hanging.Task.WaitAsync(Stop);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
    }

    private static Task<GatewayServer> StartAsync(IServedModel model, string? key = null) => GatewayServer.StartAsync(
        new ServedModels([model]), new GatewayOptions { Port = 0, ApiKey = key }, TimeProvider.System, Stop);
}
