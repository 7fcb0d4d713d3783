// Usage: run FOLDER | projects FOLDER PROJECT. An app host that says all that app hosts here may say. What its processes
// find is written to files in FOLDER, so that a test reads the same on either provider.
switch (args)
{
    case ["run", string folder]:
        await RunAsync(Processes(New(), folder));
        return 0;
    case ["projects", string folder, string project]:
        await RunAsync(Projects(New(), folder, project));
        return 0;
    default:
        return 2;
}

static IDistributedApplicationBuilder New() => DistributedApplication.CreateBuilder(new DistributedApplicationOptions { DisableDashboard = true });

static async Task RunAsync(IDistributedApplicationBuilder builder)
{
    await using DistributedApplication app = builder.Build();
    await app.RunAsync();
}

static IDistributedApplicationBuilder Processes(IDistributedApplicationBuilder builder, string folder)
{
    IResourceBuilder<ExecutableResource> first = builder.AddExecutable("first", "sh", folder, "-c", "echo done >first");
    IResourceBuilder<ExecutableResource> failing = builder.AddExecutable("failing", "sh", folder, "-c", "exit 3");
    IResourceBuilder<ExecutableResource> server = builder.AddExecutable("server", "sh", folder, "-c", "echo $LINK_PORT >server; exec sleep 1000")
        .WithEndpoint(scheme: "tcp", name: "link", env: "LINK_PORT");
    EndpointReference link = server.GetEndpoint("link");
    builder.AddExecutable("asker", "sh", folder)
        .WithArgs("-c", "cat first >found; pwd >>found; echo \"$0\" >>found; env >>found; mv found asker; exec sleep 1000", "argument")
        .WithEnvironment("PLAIN", "a b")
        .WithEnvironment("LATE", () => "late")
        .WithEnvironment("LINK", link)
        .WithEnvironment(context => context.EnvironmentVariables["PORT"] = link.Property(EndpointProperty.Port))
        .WithReference(link)
        .WithReference("outside", new Uri("http://example.invalid:81"))
        .WaitFor(server)
        .WaitForCompletion(first)
        .WaitForCompletion(failing, exitCode: 3);
    builder.AddExecutable("never", "sh", folder, "-c", "echo ran >never").WaitForCompletion(failing);
    return builder;
}

static IDistributedApplicationBuilder Projects(IDistributedApplicationBuilder builder, string folder, string project)
{
    IResourceBuilder<ProjectResource> web = builder.AddProject("web", project)
        .WithHttpEndpoint(name: "http")
        .WithHttpHealthCheck("/health")
        .WithReplicas(2)
        .WithEnvironment("GREETING", "hello");
    builder.AddExecutable("after", "sh", folder, "-c", "echo $services__web__http__0 >found; echo $WEB_HTTP >>found; mv found after; exec sleep 1000")
        .WithReference(web)
        .WaitFor(web);
    return builder;
}
