using System.ComponentModel;
using System.Diagnostics;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Internal;

/// <summary>Runs the processes: gives out ports, builds projects, starts each instance when its waits are over, stops all.</summary>
internal sealed class Orchestrator : IHostedService, IDisposable
{
    /// <summary>What a process has between SIGTERM and SIGKILL.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(1);

    private readonly LogConsole _console;
    private readonly TimeProvider _time;
    private readonly HealthProbe _probe;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<IResource, string> _built = [];
    private List<TcpForwarder> _forwarders = [];
    private ProcessGroups? _groups;
    private Task[] _runners = [];
    private bool _disposed;

    public Orchestrator(IReadOnlyList<IResource> resources, LogConsole console, TimeProvider time)
    {
        _console = console;
        _time = time;
        _probe = new HealthProbe(console, time);
        Instances =
        [
            .. resources.SelectMany(resource => Enumerable.Range(0, resource.Replicas())
                .Select(i => new Instance(resource, i, resource.Replicas() == 1 ? resource.Name : $"{resource.Name}-{i}"))),
        ];
    }

    /// <summary>All processes, in the order of their description.</summary>
    public IReadOnlyList<Instance> Instances { get; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _groups = new ProcessGroups();
        _forwarders = Ports.GiveOut(Instances.Select(instance => instance.Resource).Distinct());
        foreach (Instance instance in Instances)
        {
            if (instance.Resource.All<ProjectAnnotation>().FirstOrDefault() is { } project && !_built.ContainsKey(instance.Resource))
            {
                _built[instance.Resource] = _built.FirstOrDefault(built => built.Key.All<ProjectAnnotation>().First() == project).Value
                    ?? await BuildAsync(instance.Resource.Name, project.Path, cancellationToken);
            }
        }
        _runners = [.. Instances.Select(RunAsync)];
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        SignalAll(ProcessGroups.SigTerm);
        Task ended = Task.WhenAll(_runners);
        try
        {
            await ended.WaitAsync(Grace, _time, cancellationToken);
        }
        catch (Exception error) when (error is TimeoutException or OperationCanceledException)
        {
            foreach (Instance instance in Instances.Where(instance => instance is { ProcessId: not null, ExitCode: null }))
            {
                _console.Report(instance.Name, $"did not end within {Grace.TotalSeconds:0} s of SIGTERM: killed", problem: true);
            }
        }
        SignalAll(ProcessGroups.SigKill); // also what a process that ended has left behind in its group
        await ended;
        foreach (TcpForwarder forwarder in _forwarders)
        {
            await forwarder.DisposeAsync();
        }
        _forwarders = [];
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }
        _disposed = true;
        _stopping.Cancel();
        SignalAll(ProcessGroups.SigKill);
        _groups?.Dispose();
        _probe.Dispose();
        _stopping.Dispose();
    }

    private async Task<string> BuildAsync(string name, string path, CancellationToken cancellationToken)
    {
        _console.Report(name, $"building {Path.GetFileName(path)}");
        return await ProjectBuild.RunAsync(name, path, cancellationToken);
    }

    private void SignalAll(int signal)
    {
        foreach (Instance instance in Instances)
        {
            if (instance.ProcessId is { } group)
            {
                ProcessGroups.Signal(group, signal);
            }
        }
    }

    private async Task RunAsync(Instance instance)
    {
        try
        {
            foreach (WaitAnnotation wait in instance.Resource.All<WaitAnnotation>())
            {
                await WaitAsync(wait);
            }
            (Uri, int)[] health = HealthProbe.Targets(instance);
            ProcessStartInfo start = await LaunchPlan.MakeAsync(instance, _built.GetValueOrDefault(instance.Resource), _stopping.Token);
            _stopping.Token.ThrowIfCancellationRequested();
            using Process process = _groups!.StartGroup(start);
            instance.ProcessId = process.Id;
            instance.State = InstanceState.Running;
            _console.Report(instance.Name, $"started, process {process.Id}");
            if (_stopping.IsCancellationRequested)
            {
                ProcessGroups.Signal(process.Id, ProcessGroups.SigTerm); // StopAsync looked before there was a process
            }
            await WatchAsync(instance, process, health);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            instance.State = InstanceState.Failed;
            instance.Problem = "stopped before it started";
        }
        catch (Exception error) when (error is InvalidOperationException or Win32Exception or IOException)
        {
            instance.State = InstanceState.Failed;
            instance.Problem = error.Message;
            _console.Report(instance.Name, $"not started: {error.Message}", problem: true);
        }
        finally
        {
            instance.Ended.TrySetResult(instance.ExitCode);
        }
    }

    private async Task WatchAsync(Instance instance, Process process, (Uri, int)[] health)
    {
        using var exited = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        Task watching = health.Length == 0 ? Task.CompletedTask : _probe.WatchAsync(instance, health, exited.Token);
        if (health.Length == 0)
        {
            instance.Ready.TrySetResult();
        }
        Task draining = Task.WhenAll(DrainAsync(instance, process.StandardOutput), DrainAsync(instance, process.StandardError));
        await process.WaitForExitAsync(CancellationToken.None);
        // What it started may hold its pipes open for ever.
        await Task.WhenAny(draining, Task.Delay(DrainTime, _time));
        await exited.CancelAsync();
        await watching;
        instance.ExitCode = process.ExitCode;
        instance.State = InstanceState.Exited;
        if (!ProcessGroups.Signal(process.Id, 0))
        {
            _groups!.Forget(process.Id);
            instance.ProcessId = null; // the id may be another's soon
        }
        _console.Report(
            instance.Name, $"exited with code {instance.ExitCode}", problem: instance.ExitCode != 0 && !_stopping.IsCancellationRequested);
    }

    private async Task DrainAsync(Instance instance, StreamReader output)
    {
        while (await output.ReadLineAsync() is { } line)
        {
            instance.Keep(line);
            _console.Write(instance.Name, line);
        }
    }

    private async Task WaitAsync(WaitAnnotation wait)
    {
        foreach (Instance other in Instances.Where(instance => instance.Resource == wait.For))
        {
            if (wait.ExitCode is { } wanted)
            {
                int? code = await other.Ended.Task.WaitAsync(_stopping.Token);
                if (code != wanted)
                {
                    throw new InvalidOperationException(code is null
                        ? $"{other.Name}, which it waits for, did not start"
                        : $"{other.Name}, which it waits for, exited with code {code}, not {wanted}");
                }
                continue;
            }
            if (await Task.WhenAny(other.Ready.Task, other.Ended.Task).WaitAsync(_stopping.Token) != other.Ready.Task && !other.Ready.Task.IsCompleted)
            {
                int? code = await other.Ended.Task;
                throw new InvalidOperationException(code is null
                    ? $"{other.Name}, which it waits for, did not start"
                    : $"{other.Name}, which it waits for, exited with code {code}");
            }
        }
    }
}
