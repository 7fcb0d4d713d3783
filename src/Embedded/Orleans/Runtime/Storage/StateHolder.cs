using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime.Catalog;
using Orleans.Storage;

namespace Orleans.Runtime.Storage;

/// <summary>The state of an activation, whatever its type.</summary>
internal abstract class StateHolder
{
    public abstract Task ReadAsync();
}

/// <summary>The state of an activation in the default storage.</summary>
internal sealed class StateHolder<TState>(ActivationData activation, string stateName) : StateHolder
{
    private readonly IGrainStorage _storage = activation.Services.Provider.GetKeyedService<IGrainStorage>(StorageNames.Default)
        ?? activation.Services.Provider.GetService<IGrainStorage>()
        ?? throw new InvalidOperationException($"{activation.GrainId} has state, and no storage is registered as '{StorageNames.Default}'.");

    private readonly GrainState<TState> _state = new(Empty());

    public TState State
    {
        get => _state.State!;
        set => _state.State = value;
    }

    public override async Task ReadAsync()
    {
        await _storage.ReadStateAsync(stateName, activation.GrainId, _state);
        if (_state.State is null)
        {
            _state.State = Empty();
        }
    }

    public Task WriteAsync() => _storage.WriteStateAsync(stateName, activation.GrainId, _state);

    public async Task ClearAsync()
    {
        await _storage.ClearStateAsync(stateName, activation.GrainId, _state);
        _state.State = Empty();
    }

    private static TState Empty() => Activator.CreateInstance<TState>();
}

internal static class StorageNames
{
    /// <summary>The name of the storage that grains get which name none.</summary>
    public const string Default = "Default";
}
