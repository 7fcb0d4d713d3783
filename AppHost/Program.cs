namespace MmCluster.AppHost;

/// <summary>A whole cluster on this machine, for development: two encoder silos, a backbone over two silos, a spare one, and a gateway.</summary>
internal static class Program
{
    private const int DefaultPort = 8000;

    private static async Task Main(string[] args)
    {
        IDistributedApplicationBuilder builder = DistributedApplication.CreateBuilder(args);
        // State is kept between runs: what was scaled stays scaled.
        string folder = builder.Configuration["cluster-folder"] ?? Path.Combine(builder.AppHostDirectory, "obj", "cluster");
        IResourceBuilder<ExecutableResource>[] silos =
        [
            Silo("encoder-1", "encoder"),
            Silo("encoder-2", "encoder"),
            Silo("backbone-1", "backbone"),
            Silo("backbone-2", "backbone"),
            Silo("spare", "backbone"),
        ];
        int port = int.TryParse(builder.Configuration["port"], out int chosen) ? chosen : DefaultPort;
        IResourceBuilder<ExecutableResource> gateway = Mm("gateway", "gateway", "--config", Path.Combine(builder.AppHostDirectory, "cluster.yaml"), "--port", $"{port}")
            .WithHttpEndpoint(port: port, targetPort: port, name: "http", isProxied: false)
            .WithHttpHealthCheck("/health/ready");
        foreach (IResourceBuilder<ExecutableResource> silo in silos)
        {
            gateway.WaitFor(silo);
        }
        await builder.Build().RunAsync();

        IResourceBuilder<ExecutableResource> Silo(string name, string role) => Mm(name, "silo", "--name", name, "--role", role, "--threads", "1");

        IResourceBuilder<ExecutableResource> Mm(string name, params string[] arguments) => builder
            .AddExecutable(name, "dotnet", builder.AppHostDirectory, [Path.Combine(AppContext.BaseDirectory, "mm.dll"), .. arguments, "--cluster-folder", folder]);
    }
}
