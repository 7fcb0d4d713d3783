using System.Diagnostics;
using System.Text.Json;
using MmCluster.Embedded.Grpc.Tests.Interop;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Models;
using MmCluster.Gateway.Tests;

namespace MmCluster.Client.Tests.Interop;

public sealed class GrpcJsTests
{
    [Fact]
    public async Task A_client_made_from_the_proto_files_alone_is_served()
    {
        await NodeInterop.RequireAsync();
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using GatewayServer server = await GatewayServer.StartAsync(
            new ServedModels([new EchoModel()]), new GatewayOptions { Port = 0, ApiKey = "secret" }, TimeProvider.System, stop);
        using Process node = NodeInterop.Start(server.GrpcAddress.Authority, Path.Combine(AppContext.BaseDirectory, "protos"));
        string line = await node.StandardOutput.ReadLineAsync(stop) ?? "";
        await node.WaitForExitAsync(stop);
        using JsonDocument told = JsonDocument.Parse(line);
        JsonElement root = told.RootElement;
        Assert.Equal("a b c ", root.GetProperty("text").GetString());
        Assert.StartsWith("[Image:", root.GetProperty("seen").GetString(), StringComparison.Ordinal);
        Assert.Equal((5, "model"), (root.GetProperty("refused").GetProperty("code").GetInt32(), root.GetProperty("refused").GetProperty("param").GetString()));
        Assert.Equal("echo", root.GetProperty("models")[0].GetString());
        Assert.Equal("SERVING", root.GetProperty("status").GetString());
        Assert.Equal("d e ", root.GetProperty("inferred").GetString());
    }
}
