using Grpc.Core;
using Grpc.Health.V1;
using static Grpc.Health.V1.HealthCheckResponse.Types;

namespace MmCluster.Gateway.Tests.Grpc;

public sealed class HealthTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("")]
    [InlineData("mmcluster.v1.Generation")]
    [InlineData("echo")]
    public async Task Check_tells_of_the_server_its_services_and_its_models(string service)
    {
        var model = new EchoModel { Ready = false };
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        var health = new Health.HealthClient(gateway.Channel);
        Assert.Equal(ServingStatus.NotServing, (await health.CheckAsync(new HealthCheckRequest { Service = service }, cancellationToken: Stop)).Status);
        model.Ready = true;
        Assert.Equal(ServingStatus.Serving, (await health.CheckAsync(new HealthCheckRequest { Service = service }, cancellationToken: Stop)).Status);
    }

    [Fact]
    public async Task Check_of_an_unknown_service_is_NotFound()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        RpcException error = await Assert.ThrowsAsync<RpcException>(
            () => new Health.HealthClient(gateway.Channel).CheckAsync(new HealthCheckRequest { Service = "other" }, cancellationToken: Stop).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, error.StatusCode);
    }

    [Fact]
    public async Task Watch_tells_of_changes_and_ends_with_the_server()
    {
        var model = new EchoModel { Ready = false };
        TestGateway gateway = await TestGateway.StartAsync(model);
        using AsyncServerStreamingCall<HealthCheckResponse> watch = new Health.HealthClient(gateway.Channel).Watch(new HealthCheckRequest(), cancellationToken: Stop);
        using AsyncServerStreamingCall<HealthCheckResponse> unknown =
            new Health.HealthClient(gateway.Channel).Watch(new HealthCheckRequest { Service = "other" }, cancellationToken: Stop);
        Assert.Equal(ServingStatus.NotServing, await NextAsync(watch));
        Assert.Equal(ServingStatus.ServiceUnknown, await NextAsync(unknown));
        model.Ready = true;
        Assert.Equal(ServingStatus.Serving, await NextAsync(watch));
        Task stopped = gateway.StopAsync();
        Assert.Equal(ServingStatus.NotServing, await NextAsync(watch));
        Assert.False(await watch.ResponseStream.MoveNext(Stop));
        await stopped.WaitAsync(Stop);
        await gateway.DisposeAsync();
    }

    private static async Task<ServingStatus> NextAsync(AsyncServerStreamingCall<HealthCheckResponse> watch)
    {
        Assert.True(await watch.ResponseStream.MoveNext(Stop));
        return watch.ResponseStream.Current.Status;
    }
}
