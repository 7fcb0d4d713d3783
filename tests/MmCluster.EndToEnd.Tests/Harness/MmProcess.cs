using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace MmCluster.EndToEnd.Tests.Harness;

/// <summary>
/// A process of <c>mm</c>, of this build. What it writes is kept; it ends with the test: asked to when this is disposed, and killed by the kernel when the
/// test's own process dies.
/// </summary>
internal sealed partial class MmProcess : IAsyncDisposable
{
    private const int SigHup = 1;
    private const int SigInt = 2;
    private const int SigAbort = 6;
    private const int SigKill = 9;
    private const int SigTerm = 15;

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _log = new();
    private readonly TaskCompletionSource<JsonElement> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _awaited = new(StringComparer.Ordinal);
    private bool _ended;

    private MmProcess(string name, Process process)
    {
        (Name, _process) = (name, process);
        process.OutputDataReceived += (_, line) => TakeOutput(line.Data);
        process.ErrorDataReceived += (_, line) => TakeLog(line.Data);
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => Fail($"{Name} ended with code {process.ExitCode}");
    }

    /// <summary>What the test calls it.</summary>
    public string Name { get; }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>All that it wrote so far, a line each.</summary>
    public string Log => string.Join('\n', _log.Select(line => $"[{Name}] {line}"));

    /// <summary>Starts <c>mm ARGUMENTS --json</c>.</summary>
    public static MmProcess Start(string name, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null) =>
        StartProgram(name, [Path.Combine(AppContext.BaseDirectory, "mm.dll"), .. arguments, "--json"], environment);

    /// <summary>Starts <c>dotnet ARGUMENTS</c>.</summary>
    public static MmProcess StartProgram(string name, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        // Who started the tests may ignore Ctrl-C, as a shell does for what it puts into the background; that is inherited.
        string[] command = ["/usr/bin/env", "--default-signal=INT", "dotnet", .. arguments];
        // The same process id, and a death of ours is one of it, too.
        string[] all = File.Exists("/usr/bin/setpriv") ? ["/usr/bin/setpriv", "--pdeathsig", "KILL", .. command] : command;
        // In the root, as a service manager starts them: nothing may be looked for below the current folder.
        var start = new ProcessStartInfo(all[0], all[1..])
        {
            WorkingDirectory = "/",
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        start.Environment["DOTNET_gcServer"] = "0";
        foreach ((string key, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[key] = value;
        }
        var process = new MmProcess(name, new Process { StartInfo = start });
        Starter.Run(() => process._process.Start());
        process._process.BeginOutputReadLine();
        process._process.BeginErrorReadLine();
        return process;
    }

    /// <summary>The JSON object that it prints when it can be used; fails, with its log, when it ends before.</summary>
    public Task<JsonElement> ReadyAsync(CancellationToken cancellationToken) => _ready.Task.WaitAsync(cancellationToken);

    /// <summary>Completes when its log has a line with <paramref name="text"/>, one from before included.</summary>
    public Task SaysAsync(string text, CancellationToken cancellationToken)
    {
        TaskCompletionSource said = _awaited.GetOrAdd(text, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        if (_log.Any(line => line.Contains(text, StringComparison.Ordinal)))
        {
            said.TrySetResult();
        }
        return said.Task.WaitAsync(cancellationToken);
    }

    /// <summary>kill -9: it gets no chance to tell anybody.</summary>
    public async Task KillAsync()
    {
        _ended = true;
        Signal(SigKill);
        await _process.WaitForExitAsync();
    }

    /// <summary>Has it read its configuration again.</summary>
    public void HangUp() => Signal(SigHup);

    /// <summary>Asks it to stop and waits; its exit code.</summary>
    public Task<int> StopAsync() => StopAsync(SigTerm);

    /// <summary>Stops it as Ctrl-C does, and waits; its exit code.</summary>
    public Task<int> InterruptAsync() => StopAsync(SigInt);

    private async Task<int> StopAsync(int signal)
    {
        _ended = true;
        if (!_process.HasExited)
        {
            Signal(signal);
        }
        using var late = new CancellationTokenSource(StopTimeout);
        try
        {
            await _process.WaitForExitAsync(late.Token);
        }
        catch (OperationCanceledException)
        {
            // With DOTNET_DbgEnableMiniDump=1 it leaves a dump that tells why.
            Signal(SigAbort);
            await _process.WaitForExitAsync(CancellationToken.None);
            throw new TimeoutException($"{Name} did not stop within {StopTimeout.TotalSeconds} s of being told to:\n{Log}");
        }
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await StopAsync();
        }
        finally
        {
            _process.Dispose();
        }
    }

    /// <summary>
    /// Starts processes on a thread that never ends: the kernel takes the end of the thread that started a process for its parent's death, and threads of the pool end
    /// when they have nothing to do.
    /// </summary>
    private static class Starter
    {
        private static readonly BlockingCollection<Action> Starts = [];

        static Starter() => new Thread(() =>
        {
            foreach (Action start in Starts.GetConsumingEnumerable())
            {
                start();
            }
        })
        {
            IsBackground = true,
            Name = "process-starter",
        }.Start();

        public static void Run(Func<bool> start)
        {
            TaskCompletionSource<bool> started = new();
            Starts.Add(() =>
            {
                try
                {
                    started.SetResult(start());
                }
                catch (Exception error)
                {
                    started.SetException(error);
                }
            });
            started.Task.GetAwaiter().GetResult();
        }
    }

    private void TakeOutput(string? line)
    {
        if (line is null)
        {
            return;
        }
        TakeLog(line);
        if (line.StartsWith('{') && !_ready.Task.IsCompleted)
        {
            using JsonDocument document = JsonDocument.Parse(line);
            _ready.TrySetResult(document.RootElement.Clone());
        }
    }

    private void TakeLog(string? line)
    {
        if (line is null)
        {
            return;
        }
        _log.Enqueue(line);
        foreach ((string text, TaskCompletionSource said) in _awaited)
        {
            if (line.Contains(text, StringComparison.Ordinal))
            {
                said.TrySetResult();
            }
        }
    }

    private void Fail(string reason)
    {
        var error = new InvalidOperationException($"{reason}{(_ended ? "" : " by itself")}:\n{Log}");
        _ready.TrySetException(error);
        foreach (TaskCompletionSource said in _awaited.Values)
        {
            said.TrySetException(error);
        }
    }

    private void Signal(int signal)
    {
        if (!_process.HasExited && Kill(_process.Id, signal) != 0 && !_process.HasExited)
        {
            throw new InvalidOperationException($"cannot send signal {signal} to {Name}");
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
