using System.Diagnostics;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace MmCluster.Embedded.Aspire.Tests;

public sealed class DistributedApplicationTests : IDisposable
{
    private static readonly string TestHost = Path.Combine(AppContext.BaseDirectory, "MmCluster.Embedded.Aspire.TestHost.dll");

    private readonly Scratch _scratch = new();
    private readonly ConsoleLines _console = new();

    public void Dispose()
    {
        _console.Dispose();
        _scratch.Dispose();
    }

    [Fact]
    public async Task Output_is_joined_behind_names_and_an_exit_is_reported_with_its_code()
    {
        IDistributedApplicationBuilder builder = NewBuilder();
        builder.AddExecutable("talker", "sh", _scratch.Folder, "-c", "echo to stdout; echo to stderr >&2; exit 3");
        await using DistributedApplication app = builder.Build();

        await app.StartAsync();
        await _console.LineAsync("exited with code 3");
        await app.StopAsync();

        Assert.Contains(_console.Lines, line => line.StartsWith("talker", StringComparison.Ordinal) && line.EndsWith("| to stdout", StringComparison.Ordinal));
        Assert.Contains(_console.Lines, line => line.EndsWith("| to stderr", StringComparison.Ordinal));
        Assert.Single(_console.Lines, line => line.Contains("started", StringComparison.Ordinal)); // not started again
        Assert.DoesNotContain(_console.Lines, line => line.Contains('\e'));
    }

    [Fact]
    public async Task Arguments_environment_and_working_directory_arrive()
    {
        string pipe = _scratch.NewPipe("out");
        IDistributedApplicationBuilder builder = NewBuilder();
        IResourceBuilder<ExecutableResource> server = builder.AddExecutable("server", "true", _scratch.Folder)
            .WithEndpoint(name: "link", scheme: "tcp", env: "LINK_PORT");
        builder.AddExecutable("asker", "sh", _scratch.Folder)
            .WithArgs("-c", "pwd >\"$0\"; echo \"$1\" >>\"$0\"; env >>\"$0\"", pipe)
            .WithArgs(server.GetEndpoint("link"))
            .WithEnvironment("PLAIN", "a b")
            .WithEnvironment("LATE", () => "late")
            .WithEnvironment("LINK", server.GetEndpoint("link"))
            .WithEnvironment(context => context.EnvironmentVariables["PORT"] = server.GetEndpoint("link").Property(EndpointProperty.Port))
            .WithReference(server.GetEndpoint("link"))
            .WithReference("outside", new Uri("http://example.invalid:81"));
        await using DistributedApplication app = builder.Build();

        // sh opens the pipe three times, so the reader keeps it open across them.
        Task<string> reading = Scratch.ReadAllAsync(pipe);
        using var hold = await Task.Run(() => new FileStream(pipe, FileMode.Open, FileAccess.Write));
        await app.StartAsync();
        await _console.LineAsync("asker    | -- exited with code 0");
        hold.Dispose();
        string[] lines = (await reading).Split('\n');
        await app.StopAsync();

        int port = server.GetEndpoint("link").Port;
        Assert.Equal(_scratch.Folder, lines[0]);
        Assert.Equal($"tcp://localhost:{port}", lines[1]);
        Assert.Contains("PLAIN=a b", lines);
        Assert.Contains("LATE=late", lines);
        Assert.Contains($"LINK=tcp://localhost:{port}", lines);
        Assert.Contains($"PORT={port}", lines);
        Assert.Contains($"services__server__link__0=tcp://localhost:{port}", lines);
        Assert.Contains($"SERVER_LINK=tcp://localhost:{port}", lines);
        Assert.Contains("services__outside__default__0=http://example.invalid:81/", lines);
    }

    [Fact]
    public async Task A_resource_waits_for_another_to_complete()
    {
        string gate = _scratch.NewPipe("gate");
        IDistributedApplicationBuilder builder = NewBuilder();
        IResourceBuilder<ExecutableResource> first = builder.AddExecutable("first", "sh", _scratch.Folder, "-c", "read x <\"$0\"", gate);
        builder.AddExecutable("second", "true", _scratch.Folder).WaitForCompletion(first);
        builder.AddExecutable("third", "true", _scratch.Folder).WaitForCompletion(first, exitCode: 7);
        await using DistributedApplication app = builder.Build();

        await app.StartAsync();
        await _console.LineAsync("first    | -- started");
        Assert.DoesNotContain(_console.Lines, line => line.Contains("second   | -- started", StringComparison.Ordinal));
        await File.WriteAllTextAsync(gate, "go\n");
        await _console.LineAsync("second   | -- exited with code 0");
        await _console.LineAsync("third    | -- not started: first, which it waits for, exited with code 0, not 7");
        await app.StopAsync();
    }

    [Fact]
    public async Task A_resource_does_not_start_when_what_it_waits_for_failed()
    {
        IDistributedApplicationBuilder builder = NewBuilder();
        IResourceBuilder<ExecutableResource> broken = builder.AddExecutable("broken", "sh", Path.Combine(_scratch.Folder, "missing"), "-c", "true");
        builder.AddExecutable("after", "true", _scratch.Folder).WaitFor(broken);
        await using DistributedApplication app = builder.Build();

        await app.StartAsync();

        await _console.LineAsync("broken   | -- not started: broken: working directory");
        await _console.LineAsync("after    | -- not started: broken, which it waits for, did not start");
        await app.StopAsync();
    }

    [Fact]
    public async Task Stopping_ends_a_process_and_what_it_started()
    {
        string pipe = _scratch.NewPipe("held");
        IDistributedApplicationBuilder builder = NewBuilder();
        builder.AddExecutable("parent", "sh", _scratch.Folder, "-c", "exec 3>\"$0\"; (trap '' TERM; sleep 1000) & echo up >&3; wait", pipe);
        await using DistributedApplication app = builder.Build();
        Task<StreamReader> opening = Scratch.OpenAsync(pipe);
        await app.StartAsync();
        using StreamReader reader = await opening;
        Assert.Equal("up", await reader.ReadLineAsync());

        await app.StopAsync();

        Assert.Null(await reader.ReadLineAsync()); // the grandchild that ignores SIGTERM has gone, too
    }

    [Fact]
    public async Task An_app_host_that_is_told_to_stop_while_it_starts_stops_its_processes_as_later()
    {
        string pipe = _scratch.NewPipe("out");
        IDistributedApplicationBuilder builder = NewBuilder();
        builder.AddExecutable("child", "sh", _scratch.Folder, "-c", "exec 3>\"$0\"; trap 'echo told >&3; exit' TERM; echo up >&3; while :; do sleep 0.1; done", pipe);
        builder.Services.AddHostedService<NeverStarted>();
        DistributedApplication app = builder.Build();
        Task<StreamReader> opening = Scratch.OpenAsync(pipe);
        Task running = app.RunAsync();
        using StreamReader reader = await opening;
        Assert.Equal("up", await reader.ReadLineAsync());

        app.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();

        await running;
        Assert.Equal("told", await reader.ReadLineAsync());
    }

    [Fact]
    public async Task Killing_the_app_host_ends_its_processes()
    {
        string pipe = _scratch.NewPipe("held");
        using Process host = Process.Start(new ProcessStartInfo("dotnet", [TestHost, "host", pipe]) { RedirectStandardOutput = true })!;
        using StreamReader reader = await Scratch.OpenAsync(pipe);
        Assert.Equal("up", await reader.ReadLineAsync());

        host.Kill(entireProcessTree: false);

        Assert.Null(await reader.ReadLineAsync());
        await host.WaitForExitAsync();
    }

    [Fact]
    public async Task Sigterm_stops_the_app_host_and_its_processes()
    {
        string pipe = _scratch.NewPipe("held");
        using Process host = Process.Start(new ProcessStartInfo("dotnet", [TestHost, "host", pipe]) { RedirectStandardOutput = true })!;
        using StreamReader reader = await Scratch.OpenAsync(pipe);
        Assert.Equal("up", await reader.ReadLineAsync());

        // The shell's own kill: a small machine has no program of that name.
        using (Process kill = Process.Start("sh", ["-c", $"kill -TERM {host.Id}"]))
        {
            await kill.WaitForExitAsync();
        }

        Assert.Null(await reader.ReadLineAsync());
        await host.WaitForExitAsync();
        Assert.Contains("child", await host.StandardOutput.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replicas_share_an_address_and_dependents_start_when_all_are_healthy()
    {
        IDistributedApplicationBuilder builder = NewBuilder();
        IResourceBuilder<ProjectResource> web = builder
            .AddProject("web", Path.Combine(FindRoot(), "tests/MmCluster.Embedded.Aspire.TestHost/MmCluster.Embedded.Aspire.TestHost.csproj"))
            .WithHttpEndpoint()
            .WithHttpHealthCheck("/health")
            .WithReplicas(2)
            .WithEnvironment("GREETING", "hello");
        builder.AddExecutable("after", "sh", _scratch.Folder, "-c", "echo found $services__web__http__0 $WEB_HTTP").WaitFor(web).WithReference(web);
        await using DistributedApplication app = builder.Build();

        await app.StartAsync();
        string url = web.GetEndpoint("http").Url;
        await _console.LineAsync($"found {url} {url}");
        Assert.Equal(2, _console.Lines.Count(line => line.EndsWith("-- healthy", StringComparison.Ordinal)));
        var answers = new HashSet<string>();
        for (int i = 0; i < 4; i++)
        {
            using var http = new HttpClient(); // a connection of its own
            answers.Add(await http.GetStringAsync(new Uri(url)));
        }
        await app.StopAsync();

        Assert.Equal(2, answers.Count);
        Assert.All(answers, answer => Assert.StartsWith("hello ", answer, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_status_page_tells_state_ports_and_logs()
    {
        IDistributedApplicationBuilder builder = DistributedApplication.CreateBuilder(
            new DistributedApplicationOptions { ProjectDirectory = _scratch.Folder, Args = ["--NO_COLOR", "1"] });
        builder.AddExecutable("speaker", "sh", _scratch.Folder, "-c", "echo '<b>bold</b>'; exit 4").WithEndpoint(name: "tcp");
        await using DistributedApplication app = builder.Build();
        await app.StartAsync();
        await _console.LineAsync("exited with code 4");
        var root = new Uri((await _console.LineAsync("page at ")).Split("page at ")[1]);
        using var http = new HttpClient();

        string page = await http.GetStringAsync(root);
        string json = await http.GetStringAsync(new Uri(root, "/api/resources"));
        string log = await http.GetStringAsync(new Uri(root, "/api/logs/speaker"));
        using var foreign = new HttpRequestMessage(HttpMethod.Get, root) { Headers = { Host = "attacker.example" } };
        using HttpResponseMessage refused = await http.SendAsync(foreign);
        await app.StopAsync();

        Assert.Contains("exited with code 4", page, StringComparison.Ordinal);
        Assert.Contains("\"exitCode\":4", json, StringComparison.Ordinal);
        Assert.Equal("<b>bold</b>\n", log);
        Assert.Equal(400, (int)refused.StatusCode);
    }

    [Fact]
    public void Names_are_checked()
    {
        IDistributedApplicationBuilder builder = NewBuilder();
        builder.AddExecutable("one", "true", ".");
        Assert.Throws<InvalidOperationException>(() => builder.AddExecutable("ONE", "true", "."));
        Assert.Throws<ArgumentException>(() => builder.AddExecutable("two words", "true", "."));
        Assert.Throws<ArgumentException>(() => builder.AddExecutable("1st", "true", "."));
    }

    [Fact]
    public void An_endpoint_has_no_address_before_the_start()
    {
        IDistributedApplicationBuilder builder = NewBuilder();
        IResourceBuilder<ExecutableResource> server = builder.AddExecutable("server", "true", ".").WithHttpEndpoint(port: 8123);
        Assert.True(server.GetEndpoint("http").Exists);
        Assert.False(server.GetEndpoint("http").IsAllocated);
        Assert.False(server.GetEndpoint("other").Exists);
        Assert.Throws<InvalidOperationException>(() => server.GetEndpoint("http").Url);
        Assert.Throws<InvalidOperationException>(() => server.WithHttpEndpoint(port: 8124));
    }

    private IDistributedApplicationBuilder NewBuilder() => DistributedApplication.CreateBuilder(
        new DistributedApplicationOptions { ProjectDirectory = _scratch.Folder, DisableDashboard = true, Args = ["--NO_COLOR", "1"] });

    /// <summary>Something else in the app host that takes its time.</summary>
    private sealed class NeverStarted : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.Delay(Timeout.Infinite, cancellationToken);

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "MmCluster.sln")))
            {
                return folder.FullName;
            }
        }
        throw new InvalidOperationException("no MmCluster.sln above the tests");
    }
}
