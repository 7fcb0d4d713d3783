using System.Diagnostics;

namespace MmCluster.Embedded.Grpc.Tests.Interop;

/// <summary>@grpc/grpc-js, installed by npm beside the tests at its first use.</summary>
internal static class NodeInterop
{
    private static readonly Lazy<Task<string?>> Missing = new(InstallAsync);

    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "Interop");

    public static string Proto { get; } = Path.Combine(AppContext.BaseDirectory, "Hosting", "echo.proto");

    /// <summary>Skips the test where node or npm is missing.</summary>
    public static async Task RequireAsync()
    {
        if (await Missing.Value is { } missing)
        {
            Assert.Skip(missing);
        }
    }

    public static Process Start(params string[] arguments) => Process.Start(
        new ProcessStartInfo("node", ["interop.mjs", .. arguments])
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;

    private static async Task<string?> InstallAsync()
    {
        if (!Has("node") || !Has("npm"))
        {
            return "node and npm are not installed (Debian: nodejs, npm)";
        }
        if (Directory.Exists(Path.Combine(Folder, "node_modules", "@grpc", "grpc-js", "build")))
        {
            return null;
        }
        using Process npm = Process.Start(
            new ProcessStartInfo("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]) { WorkingDirectory = Folder, RedirectStandardError = true })!;
        string errors = await npm.StandardError.ReadToEndAsync();
        await npm.WaitForExitAsync();
        Assert.True(npm.ExitCode == 0, $"npm ci failed:\n{errors}");
        return null;
    }

    private static bool Has(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
}
