using System.Diagnostics;
using System.Reflection;

namespace Aspire.Hosting.Internal;

/// <summary>Builds a project and tells what to run.</summary>
internal static class ProjectBuild
{
    /// <summary>The built assembly's path; throws with the build's output when it fails.</summary>
    public static async Task<string> RunAsync(string name, string path, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
        {
            throw new InvalidOperationException($"{name}: project {path} does not exist");
        }
        string configuration = Assembly.GetEntryAssembly()?.GetCustomAttribute<AssemblyConfigurationAttribute>()?.Configuration ?? "Debug";
        var start = new ProcessStartInfo("dotnet")
        {
            ArgumentList = { "build", path, "-c", configuration, "-v", "q", "-nologo", "-t:Build", "-getProperty:TargetPath" },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["MSBUILDDISABLENODEREUSE"] = "1" },
        };
        using Process process = Process.Start(start) ?? throw new InvalidOperationException("dotnet could not be started");
        Task<string> errors = process.StandardError.ReadToEndAsync(cancellationToken);
        string output = await process.StandardOutput.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        string target = output.Trim();
        return process.ExitCode == 0 && File.Exists(target)
            ? target
            : throw new InvalidOperationException($"{name}: {path} could not be built:\n{output}{await errors}");
    }
}
