using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using MmCluster.Cluster.Deployment;
using MmCluster.Gateway.Clustering;
using MmCluster.Gateway.Hosting;
using MmCluster.Protos.V1;

namespace MmCluster.Gateway.Tests.Clustering;

public sealed class AdminTests
{
    private const string TwoModels = "schema: 1\nmodels:\n  a: {source: x}\n  b: {source: y}\n";

    private static readonly Metadata AdminKey = new() { { "authorization", "Bearer admin" } };

    private static readonly KeyGrant[] Keys =
    [
        new() { Hash = KeyGrant.HashOf("admin"), Tenant = "operations", Admin = true },
        new() { Hash = KeyGrant.HashOf("user"), Tenant = "acme" },
    ];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static async Task<(TestGateway Gateway, FakeCluster Cluster, Admin.AdminClient Admin)> StartAsync()
    {
        var cluster = new FakeCluster();
        var control = new ClusterControl(cluster);
        control.StartedWith(new ClusterFile());
        TestGateway gateway = await TestGateway.StartAsync(new EchoModel(), new GatewayOptions { Control = control, Keys = Keys });
        return (gateway, cluster, new Admin.AdminClient(gateway.Channel));
    }

    private static async Task<DeployResponse> DeployAsync(Admin.AdminClient admin, string yaml, bool dryRun = false) =>
        await admin.DeployAsync(new DeployRequest { ClusterYaml = yaml, DryRun = dryRun }, AdminKey, cancellationToken: Stop);

    [Fact]
    public async Task A_file_is_rolled_out_and_only_what_changed_the_next_time()
    {
        (TestGateway gateway, FakeCluster cluster, Admin.AdminClient admin) = await StartAsync();
        await using TestGateway _ = gateway;
        Assert.Equal(["deploy a", "deploy b"], (await DeployAsync(admin, TwoModels, dryRun: true)).Changes);
        Assert.Empty(cluster.Calls);
        await DeployAsync(admin, TwoModels);
        Assert.Equal(["deploy a BF16", "deploy b BF16"], cluster.Calls);
        DeployResponse changed = await DeployAsync(admin, "schema: 1\ngateway: {port: 9}\nmodels:\n  a: {source: x, dtype: f32}\n");
        Assert.Equal(["roll out a", "remove b"], changed.Changes);
        Assert.Equal(["gateway.port"], changed.NeedsRestart);
        Assert.Equal(["deploy a F32", "remove b"], cluster.Calls[2..]);
    }

    [Fact]
    public async Task A_file_with_one_fault_changes_nothing()
    {
        (TestGateway gateway, FakeCluster cluster, Admin.AdminClient admin) = await StartAsync();
        await using TestGateway _ = gateway;
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => DeployAsync(admin, TwoModels + "keys: 3\n"));
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Contains("cluster_yaml(5): keys: a list", error.Status.Detail, StringComparison.Ordinal);
        Assert.Empty(cluster.Calls);
    }

    [Fact]
    public async Task Keys_change_at_once_and_models_stay_where_a_file_names_none()
    {
        (TestGateway gateway, FakeCluster cluster, Admin.AdminClient admin) = await StartAsync();
        await using TestGateway _ = gateway;
        await DeployAsync(admin, TwoModels);
        gateway.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "new");
        Assert.Equal(HttpStatusCode.Unauthorized, (await gateway.Http.GetAsync("/v1/models", Stop)).StatusCode);
        string keys = $"schema: 1\nkeys:\n  - {{hash: {KeyGrant.HashOf("new")}, tenant: acme}}\n  - {{hash: {KeyGrant.HashOf("admin")}, tenant: operations, admin: true}}\n";
        Assert.Equal(["keys: 2"], (await DeployAsync(admin, keys)).Changes);
        Assert.Equal(HttpStatusCode.OK, (await gateway.Http.GetAsync("/v1/models", Stop)).StatusCode);
        Assert.Equal(2, cluster.Calls.Count);
    }

    [Fact]
    public async Task Status_scale_and_drain_reach_the_cluster()
    {
        (TestGateway gateway, FakeCluster cluster, Admin.AdminClient admin) = await StartAsync();
        await using TestGateway _ = gateway;
        ClusterStatus status = await admin.StatusAsync(new StatusRequest(), AdminKey, cancellationToken: Stop);
        Assert.Equal(("one", 7L, 40L), (status.Nodes[0].Name, status.Nodes[0].LeasedBytes, status.Nodes[0].Devices[0].ReservedBytes));
        Assert.Equal(("Ready", 5, 1.5), (status.Stages[0].State, status.Stages[0].Running, status.Stages[0].BusySeconds));
        ScaleResponse scaled = await admin.ScaleAsync(new ScaleRequest { Model = "a", Component = "backbone", Replicas = 3 }, AdminKey, cancellationToken: Stop);
        Assert.Equal((1, 3, "scale a backbone 3"), (scaled.Before, scaled.After, cluster.Calls[^1]));
        using AsyncServerStreamingCall<DrainEvent> drain = admin.Drain(new DrainRequest { Node = "one" }, AdminKey, cancellationToken: Stop);
        var events = new List<(int, bool, string)>();
        while (await drain.ResponseStream.MoveNext(Stop))
        {
            events.Add((drain.ResponseStream.Current.Running, drain.ResponseStream.Current.Done, drain.ResponseStream.Current.Problem));
        }
        Assert.Equal([(3, false, "no room"), (0, true, "")], events);
        Assert.Contains(
            "mm:stage_busy_seconds_total{model=\"a\",revision=\"k\",stage=\"backbone\",replica=\"0\",shard=\"0\",node=\"S127.0.0.1:1:1\"} 1.5\n",
            await gateway.Http.GetStringAsync("/metrics", Stop),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("user", StatusCode.PermissionDenied)]
    [InlineData("nobody", StatusCode.Unauthenticated)]
    public async Task Without_an_admin_key_nothing_is_told_or_done(string key, StatusCode refusal)
    {
        (TestGateway gateway, FakeCluster cluster, Admin.AdminClient admin) = await StartAsync();
        await using TestGateway _ = gateway;
        var headers = new Metadata { { "authorization", $"Bearer {key}" } };
        Assert.Equal(refusal, (await Assert.ThrowsAsync<RpcException>(async () => await admin.StatusAsync(new StatusRequest(), headers, cancellationToken: Stop))).StatusCode);
        Assert.Equal(refusal, (await Assert.ThrowsAsync<RpcException>(async () => await admin.ScaleAsync(new ScaleRequest { Replicas = 1 }, headers, cancellationToken: Stop))).StatusCode);
        Assert.Equal(refusal, (await Assert.ThrowsAsync<RpcException>(async () => await admin.DeployAsync(new DeployRequest(), headers, cancellationToken: Stop))).StatusCode);
        Assert.Empty(cluster.Calls);
    }

    [Fact]
    public async Task A_gateway_without_a_cluster_offers_no_admin_service()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        RpcException error = await Assert.ThrowsAsync<RpcException>(async () => await new Admin.AdminClient(gateway.Channel).StatusAsync(new StatusRequest(), cancellationToken: Stop));
        Assert.Equal(StatusCode.Unimplemented, error.StatusCode);
    }
}
