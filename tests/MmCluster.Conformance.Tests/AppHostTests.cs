using System.Diagnostics;

namespace MmCluster.Conformance;

/// <summary>An app host in a process of its own, and what the processes find that it starts.</summary>
public sealed class AppHostTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3); // projects are built first

    private readonly string _folder = Directory.CreateTempSubdirectory("apphost-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Processes_start_in_the_order_of_their_waits_and_find_each_other()
    {
        string[] found = [];
        await RunAsync(["run", _folder], async () => found = await ReadAsync("asker"));
        int port = int.Parse(found.Single(line => line.StartsWith("PORT=", StringComparison.Ordinal))["PORT=".Length..], System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(["done", _folder, "argument"], found[..3]);
        Assert.Contains("PLAIN=a b", found);
        Assert.Contains("LATE=late", found);
        Assert.Contains($"LINK=tcp://localhost:{port}", found);
        Assert.Contains($"services__server__link__0=tcp://localhost:{port}", found);
        Assert.Contains($"SERVER_LINK=tcp://localhost:{port}", found);
        Assert.Contains("services__outside__default__0=http://example.invalid:81/", found);
        Assert.True(int.TryParse((await ReadAsync("server"))[0], out int own) && own > 0);
        Assert.False(File.Exists(Path.Combine(_folder, "never")), "what waits for another exit code was started");
    }

    [Fact]
    public async Task Replicas_of_a_project_share_an_address()
    {
        await RunAsync(["projects", _folder, await WriteProjectAsync()], async () =>
        {
            string[] urls = await ReadAsync("after"); // the health of both was waited for
            Assert.Equal(urls[0], urls[1]);
            HashSet<string> answers = [];
            using CancellationTokenSource late = new(Patience);
            while (answers.Count < 2)
            {
                using HttpClient http = new(); // a connection of its own
                answers.Add(await http.GetStringAsync(new Uri(urls[0]), late.Token));
            }
            Assert.All(answers, answer => Assert.StartsWith("hello ", answer, StringComparison.Ordinal));
        });
    }

    // Runs the app host until the check is done, then ends it by SIGTERM.
    private static async Task RunAsync(string[] arguments, Func<Task> check)
    {
        string built = Path.Combine(Root(), "artifacts/bin/MmCluster.Conformance.AppHost", Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)));
        ProcessStartInfo start = new("dotnet", [Path.Combine(built, "MmCluster.Conformance.AppHost.dll"), .. arguments]) { RedirectStandardOutput = true };
        using Process host = Process.Start(start)!;
        Task<string> output = host.StandardOutput.ReadToEndAsync(); // so that the pipe never fills
        try
        {
            await check();
        }
        finally
        {
            using Process kill = Process.Start("sh", ["-c", $"kill -TERM {host.Id}"]);
            await host.WaitForExitAsync().WaitAsync(Patience);
        }
        Assert.True(host.ExitCode == 0, await output);
    }

    // A project of the test's own: others may build what is in the repository at the same time.
    private async Task<string> WriteProjectAsync()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder, "Web")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "Program.cs"), """
            WebApplication app = WebApplication.CreateSlimBuilder(args).Build();
            app.MapGet("/", () => $"{Environment.GetEnvironmentVariable("GREETING")} {Environment.ProcessId}");
            app.MapGet("/health", () => "ok");
            app.Run();
            """);
        string project = Path.Combine(folder, "Web.csproj");
        await File.WriteAllTextAsync(project, """
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
              </PropertyGroup>
            </Project>
            """);
        return project;
    }

    private async Task<string[]> ReadAsync(string name)
    {
        string path = Path.Combine(_folder, name);
        using CancellationTokenSource late = new(Patience);
        while (!File.Exists(path))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), late.Token);
        }
        return await File.ReadAllLinesAsync(path, late.Token);
    }

    private static string Root()
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
