using System.Globalization;
using System.Net;
using System.Net.Sockets;
using MmCluster.EndToEnd.Tests.Harness;
using MmCluster.Protos.V1;

namespace MmCluster.EndToEnd.Tests;

/// <summary>The app host as a developer runs it, but for its state, which is the test's own.</summary>
public sealed class AppHostTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_serves_a_picture_and_Ctrl_C_ends_all_that_it_started()
    {
        string folder = Directory.CreateTempSubdirectory("mm-apphost-").FullName;
        int port = FreePort();
        await using MmProcess host = MmProcess.StartProgram(
            "apphost", [AppHost(), "--port", port.ToString(CultureInfo.InvariantCulture), "--cluster-folder", folder]);
        await host.SaysAsync("gateway    | -- healthy", Stop);
        using var gateway = new ClusterGateway(host, new Uri($"http://127.0.0.1:{port}"));
        await gateway.ServesAsync("mini", Stop);
        Streamed answer = await Streams.ReadAsync(gateway, Streams.Long(0, 8, await File.ReadAllBytesAsync(SixProcesses.Picture, Stop)), cancellationToken: Stop);
        Assert.Equal((8, FinishReason.Length), (answer.Ids.Count, answer.Finish));
        Assert.Equal(6, ProcessesIn(folder).Count(command => command.Contains("mm.dll", StringComparison.Ordinal)));

        Assert.Equal(0, await host.InterruptAsync());
        Assert.Empty(ProcessesIn(folder));
        Directory.Delete(folder, recursive: true);
    }

    private static string AppHost()
    {
        DirectoryInfo own = new(AppContext.BaseDirectory);
        return Path.Combine(own.Parent!.Parent!.FullName, "AppHost", own.Name, "AppHost.dll");
    }

    // The commands that name the folder, of processes that live.
    private static string[] ProcessesIn(string folder) => [.. Directory.EnumerateDirectories("/proc")
        .Where(process => int.TryParse(Path.GetFileName(process), out _))
        .Select(Command)
        .Where(command => command.Contains(folder, StringComparison.Ordinal))
        .Where(command => !command.Contains("AppHost.dll", StringComparison.Ordinal))];

    private static string Command(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' ');
        }
        catch (IOException)
        {
            return ""; // it has ended meanwhile
        }
    }

    // A gateway's address is in its app host's model before anything starts, so the system cannot choose it.
    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
