using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using MmCluster.Models;

namespace MmCluster.Cli.Benchmarks.Gateway;

/// <summary>A process of this very program, as a benchmark's server; ends with it.</summary>
internal sealed partial class ServerProcess : IAsyncDisposable
{
    private const int SigTerm = 15;
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(10);

    private readonly Process _process;

    private ServerProcess(Process process, JsonElement ready) => (_process, Ready) = (process, ready);

    /// <summary>What it printed when it could be used.</summary>
    public JsonElement Ready { get; }

    /// <summary>Starts <c>mm ARGUMENTS --json</c> and waits for the line that says it can be used.</summary>
    /// <exception cref="MmException">Unavailable: it ended before.</exception>
    public static async Task<ServerProcess> StartAsync(IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        string program = Environment.ProcessPath ?? "dotnet";
        string library = typeof(ServerProcess).Assembly.Location;
        // As `dotnet mm.dll` the process is dotnet; as an executable of its own it is the program itself.
        string[] all = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [library, .. arguments, "--json"] : [.. arguments, "--json"];
        Process process = Process.Start(new ProcessStartInfo(program, all) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        string? line = await process.StandardOutput.ReadLineAsync(cancellationToken);
        if (line is null)
        {
            string said = await errors;
            process.Dispose();
            throw new MmException(MmErrorCode.Unavailable, $"the server did not start: {said}");
        }
        using JsonDocument document = JsonDocument.Parse(line);
        return new ServerProcess(process, document.RootElement.Clone());
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _ = Kill(_process.Id, SigTerm);
            using var late = new CancellationTokenSource(StopTimeout);
            try
            {
                await _process.WaitForExitAsync(late.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill();
            }
        }
        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
