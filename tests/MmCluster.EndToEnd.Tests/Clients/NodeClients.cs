using System.Diagnostics;
using System.Text.Json;

namespace MmCluster.EndToEnd.Tests.Clients;

/// <summary>Published clients for Node, installed by npm beside the tests at their first use.</summary>
internal static class NodeClients
{
    private static readonly Lazy<Task<string?>> Missing = new(InstallAsync);

    private static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "Clients");

    /// <summary>Skips the test, visibly, where node or npm is missing.</summary>
    public static async Task RequireAsync()
    {
        if (await Missing.Value is { } missing)
        {
            Assert.Skip(missing);
        }
    }

    /// <summary>Runs a script and returns the JSON object that it prints.</summary>
    public static async Task<JsonElement> RunAsync(string script, string[] arguments, CancellationToken cancellationToken)
    {
        using Process node = Process.Start(new ProcessStartInfo("node", [script, .. arguments])
        {
            WorkingDirectory = Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> errors = node.StandardError.ReadToEndAsync(cancellationToken);
        string output = await node.StandardOutput.ReadToEndAsync(cancellationToken);
        await node.WaitForExitAsync(cancellationToken);
        Assert.True(node.ExitCode == 0, $"{script} failed:\n{await errors}");
        using JsonDocument document = JsonDocument.Parse(output);
        return document.RootElement.Clone();
    }

    private static async Task<string?> InstallAsync()
    {
        if (!Has("node") || !Has("npm"))
        {
            return "node and npm are not installed (Debian: nodejs, npm)";
        }
        if (File.Exists(Path.Combine(Folder, "node_modules", ".installed")))
        {
            return null;
        }
        using Process npm = Process.Start(
            new ProcessStartInfo("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]) { WorkingDirectory = Folder, RedirectStandardError = true })!;
        string errors = await npm.StandardError.ReadToEndAsync();
        await npm.WaitForExitAsync();
        Assert.True(npm.ExitCode == 0, $"npm ci failed:\n{errors}");
        await File.WriteAllTextAsync(Path.Combine(Folder, "node_modules", ".installed"), "");
        return null;
    }

    private static bool Has(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
}
