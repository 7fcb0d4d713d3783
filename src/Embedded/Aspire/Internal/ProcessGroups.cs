using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Aspire.Hosting.Internal;

/// <summary>
/// Starts each process as the leader of a group of its own, so that its children end with it, and keeps a watchdog: a
/// shell that reads a pipe from this process and kills every group when the pipe ends, however this process ended.
/// </summary>
internal sealed partial class ProcessGroups : IDisposable
{
    public const int SigTerm = 15;
    public const int SigKill = 9;

    // One line an event: "+ id" a group has begun, "- id" it is gone. The end of input is the app host's end.
    private const string WatchdogScript =
        """
        trap '' INT TERM HUP
        groups=' '
        while read -r what id; do
          case $what in
            +) groups="$groups$id " ;;
            -) case $groups in *" $id "*) groups="${groups%% $id *} ${groups#* $id }" ;; esac ;;
          esac
        done
        for id in $groups; do kill -s KILL -- "-$id" 2>/dev/null; done
        """;

    // Becomes the program once a line comes: the watchdog has heard of the group by then. If this process dies first there
    // is no line, and the program never starts.
    private const string GateScript = "read -r go && exec \"$@\" </dev/null";

    private readonly Lock _lock = new();
    private readonly Process _watchdog;

    public ProcessGroups()
    {
        _watchdog = Start(new ProcessStartInfo("sh") { ArgumentList = { "-c", WatchdogScript }, WorkingDirectory = "/" });
    }

    /// <summary>Starts a process in a new group, whose id is the process' id.</summary>
    public Process StartGroup(ProcessStartInfo start)
    {
        Process process = Start(start, "sh", "-c", GateScript, "sh");
        Tell('+', process.Id);
        process.StandardInput.Write('\n');
        process.StandardInput.Close();
        return process;
    }

    /// <summary>The group has no processes any more.</summary>
    public void Forget(int group) => Tell('-', group);

    /// <summary>Sends a signal to every process of a group; false when there is none.</summary>
    public static bool Signal(int group, int signal) => Kill(-group, signal) == 0;

    public void Dispose()
    {
        lock (_lock)
        {
            _watchdog.StandardInput.Dispose();
        }
        _watchdog.Dispose();
    }

    // setsid replaces itself by the program, so the process' id stays, and the program leads session and group.
    private static Process Start(ProcessStartInfo start, params string[] gate)
    {
        var wrapped = new ProcessStartInfo("setsid")
        {
            WorkingDirectory = start.WorkingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = start.RedirectStandardOutput,
            RedirectStandardError = start.RedirectStandardError,
        };
        foreach (string argument in (string[])[.. gate, start.FileName, .. start.ArgumentList])
        {
            wrapped.ArgumentList.Add(argument);
        }
        foreach ((string name, string? value) in start.Environment)
        {
            wrapped.Environment[name] = value;
        }
        return Process.Start(wrapped) ?? throw new InvalidOperationException($"{start.FileName}: could not be started");
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);

    private void Tell(char what, int group)
    {
        lock (_lock)
        {
            try
            {
                _watchdog.StandardInput.Write(string.Create(CultureInfo.InvariantCulture, $"{what} {group}\n"));
                _watchdog.StandardInput.Flush();
            }
            catch (Exception error) when (error is IOException or ObjectDisposedException)
            {
                // The watchdog was killed or we are done: stopping still ends every group.
            }
        }
    }
}
