using System.Collections.Concurrent;
using MmCluster.Cluster.Stages;
using MmCluster.Cluster.Wire;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Nodes;

/// <summary>The stages of this process: loads them in the background and keeps their memory in the ledger. Safe to call from any thread.</summary>
internal sealed class StageHost(NodeLedger ledger, StageLoader loader, string node) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, HostedStage> _stages = [];
    private readonly ConcurrentDictionary<string, bool> _watched = [];
    private readonly TaskCompletionSource<MmException> _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when a device is of no more use to this process, which has to be restarted then.</summary>
    public Task<MmException> DeviceLost => _lost.Task;

    /// <summary>Whether nothing new may be placed here.</summary>
    public bool Draining { get; set; }

    /// <summary>Views of all stages.</summary>
    public StageView[] Views => [.. _stages.Values.Select(stage => stage.View())];

    /// <summary>Begins to load a stage that memory was promised to; one that is there already is left alone.</summary>
    /// <exception cref="StageNotPlacedException">No promise, or it is void.</exception>
    public void Load(StageSpec spec)
    {
        if (_stages.ContainsKey(spec.Key))
        {
            return;
        }
        string device = ledger.Find(spec.Key) ?? throw new StageNotPlacedException(spec.Key);
        HostedStage hosted = new(spec with { Device = device }, node);
        if (_stages.TryAdd(spec.Key, hosted))
        {
            if (!ledger.TryConfirm(spec.Key))
            {
                _stages.TryRemove(spec.Key, out _);
                throw new StageNotPlacedException(spec.Key);
            }
            // A thread of its own: reading weights takes long.
            hosted.Loading = Task.Factory.StartNew(
                () => LoadAsync(hosted), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();
        }
    }

    /// <summary>Lets a further model use a shared stage.</summary>
    public void Attach(StageSpec spec)
    {
        HostedStage hosted = Hosted(spec.Key);
        if (hosted.TryAttach(spec))
        {
            _ = Task.Run(() => hosted.AttachAsync(spec, loader));
        }
    }

    /// <summary>A loaded stage.</summary>
    /// <exception cref="StageNotPlacedException">It is not here, or not loaded: routes lead to what has been loaded, so that it was lost and comes up anew.</exception>
    public T Find<T>(string key)
        where T : class, IStage => Hosted(key).Stage as T ?? throw new StageNotPlacedException(key);

    /// <summary>Whether a stage is here, loaded or not.</summary>
    public bool Has(string key) => _stages.ContainsKey(key);

    /// <summary>A model uses a shared stage no more. True when none does.</summary>
    public bool Detach(string key, string model, string revision) => Hosted(key).Detach(model, revision);

    /// <summary>A stage takes no new requests.</summary>
    public void Drain(string key) => Hosted(key).Drain();

    /// <summary>Ends a stage and gives its memory back; an unknown one is ignored.</summary>
    public async Task UnloadAsync(string key)
    {
        if (_stages.TryRemove(key, out HostedStage? hosted))
        {
            try
            {
                await hosted.DisposeAsync();
            }
            finally
            {
                ledger.Release(key);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (string key in _stages.Keys)
        {
            await UnloadAsync(key);
        }
    }

    /// <summary>Ends all stages of a device that is of no more use to this process: they are replaced elsewhere, their requests replay there.</summary>
    public void Lose(string device, string reason)
    {
        ledger.Lose(device);
        MmException error = new(MmErrorCode.Unavailable, $"{device} is lost to its process, which has to be restarted: {reason}");
        foreach (HostedStage stage in _stages.Values.Where(stage => stage.Devices.Contains(device)))
        {
            stage.Break(error);
        }
        _lost.TrySetResult(error);
    }

    private void Watch(IReadOnlyList<string> gpus)
    {
        foreach (string gpu in gpus)
        {
            var device = Device.Parse(gpu);
            if (!device.IsCpu && _watched.TryAdd(gpu, true))
            {
                _ = LoseWhenLostAsync(device);
            }
        }
    }

    private async Task LoseWhenLostAsync(Device device) => Lose(device.ToString(), (await device.Lost).Message);

    private HostedStage Hosted(string key) => _stages.GetValueOrDefault(key) ?? throw new StageNotPlacedException(key);

    private async Task LoadAsync(HostedStage hosted)
    {
        try
        {
            if (hosted.Spec.Deployment.Simulation is null)
            {
                Watch(hosted.Devices); // a GPU that is lost while a stage loads takes no other
            }
            IStage stage = await loader.LoadAsync(hosted.Spec, ledger.RoomOf(hosted.Spec.Key), hosted.Unloading);
            if (!ledger.TryCorrect(hosted.Spec.Key, stage.Bytes))
            {
                await stage.DisposeAsync();
                throw new MmException(MmErrorCode.Unavailable, $"{hosted.Spec.Key} takes {stage.Bytes} bytes, more than is free: set kv_cache_memory_bytes, or on a GPU lower gpu_memory_utilization");
            }
            hosted.Loaded(stage);
        }
        catch (Exception error)
        {
            hosted.Failure = MmException.From(error);
        }
    }
}
