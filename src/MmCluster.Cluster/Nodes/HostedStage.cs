using System.Collections.Concurrent;
using MmCluster.Cluster.Stages;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.Wire;
using MmCluster.Models;

namespace MmCluster.Cluster.Nodes;

/// <summary>A stage of this process, from its first moment.</summary>
internal sealed class HostedStage(StageSpec spec, string node) : IAsyncDisposable
{
    // The models beside the first, with what kept them from joining.
    private readonly ConcurrentDictionary<string, MmException?> _attached = new([KeyValuePair.Create(UserOf(spec), (MmException?)null)]);
    private readonly CancellationTokenSource _unloading = new();
    private volatile bool _draining;
    private volatile bool _broken;

    public StageSpec Spec => spec;

    /// <summary>The devices that it is on.</summary>
    public IReadOnlyList<string> Devices { get; } = DeviceSpan.Names(spec.Device, spec.DeviceCount);

    /// <summary>Stops what it waits for while it loads.</summary>
    public CancellationToken Unloading => _unloading.Token;

    public Task Loading { get; set; } = Task.CompletedTask;

    public IStage? Stage { get; private set; }

    public MmException? Failure { get; set; }

    /// <summary>Ends it: what it runs on is gone.</summary>
    public void Break(MmException reason)
    {
        _broken = true;
        Failure = reason;
        Stage?.Break(reason);
    }

    public bool TryAttach(StageSpec user) => _attached.TryAdd(UserOf(user), null);

    public async Task AttachAsync(StageSpec user, StageLoader loader)
    {
        try
        {
            await Loading;
            if (Stage is EncoderStage encoder && !encoder.TryReturn(user.Deployment.Name, user.Revision))
            {
                encoder.Attach(loader.LoadUser(user with { Device = spec.Device }));
            }
        }
        catch (Exception error)
        {
            _attached[UserOf(user)] = MmException.From(error);
        }
    }

    /// <summary>A model uses it no more. True when none does.</summary>
    public bool Detach(string model, string revision)
    {
        _attached.TryRemove($"{model}@{revision}", out _);
        return Stage is not EncoderStage encoder || encoder.Detach(model, revision);
    }

    /// <summary>It has come up.</summary>
    public void Loaded(IStage stage)
    {
        Stage = stage;
        if (_draining)
        {
            stage.Drain();
        }
        if (_broken)
        {
            stage.Break(Failure!);
        }
    }

    public void Drain()
    {
        _draining = true;
        Stage?.Drain();
    }

    public StageView View()
    {
        StageView view = new()
        {
            Kind = spec.Kind,
            Digest = spec.Digest,
            Status = new StageStatus
            {
                Key = spec.Key,
                Models = [spec.Deployment.Name],
                Revision = spec.Kind == StageKind.Encoder ? "" : spec.Revision,
                Component = spec.Component,
                Replica = spec.Replica,
                Shard = spec.Shard,
                Node = node,
                Device = string.Join(',', Devices),
                State = Failure is not null ? StageState.Failed : _draining ? StageState.Draining : StageState.Loading,
                Problem = Failure?.Message ?? _attached.Values.FirstOrDefault(problem => problem is not null)?.Message,
            },
        };
        return _broken ? view with { IsBroken = true } : Stage?.Describe(view) ?? view;
    }

    private static string UserOf(StageSpec user) => $"{user.Deployment.Name}@{user.Revision}";

    public async ValueTask DisposeAsync()
    {
        await _unloading.CancelAsync();
        await Loading;
        if (Stage is { } stage)
        {
            await stage.DisposeAsync();
        }
    }
}
