using Orleans.Runtime;
using Orleans.Runtime.Catalog;

namespace Orleans;

/// <summary>Base of grain classes: one object an activation, whose methods run one at a time.</summary>
public abstract class Grain : IGrainBase, IAddressable
{
    /// <summary>Called by the runtime through the derived class.</summary>
    /// <exception cref="InvalidOperationException">The object was not made by the runtime.</exception>
    protected Grain()
        : this(RuntimeContext.Creating ?? throw new InvalidOperationException(
            "a grain is made by the runtime: get a reference with IGrainFactory.GetGrain."))
    {
    }

    private Grain(ActivationData activation) => Activation = activation;

    /// <summary>The activation.</summary>
    public IGrainContext GrainContext => Activation;

    /// <summary>The reference that others call this grain by.</summary>
    public GrainReference GrainReference => Activation.GrainReference;

    /// <summary>Makes references to grains.</summary>
    protected IGrainFactory GrainFactory => Activation.Services.GrainFactory;

    /// <summary>The services of this activation.</summary>
    protected IServiceProvider ServiceProvider => Activation.ActivationServices;

    /// <summary>The key, as text.</summary>
    public string IdentityString => Activation.GrainId.ToString();

    /// <summary>The silo, as text.</summary>
    public string RuntimeIdentity => Activation.Address.SiloAddress!.ToString();

    internal ActivationData Activation { get; }

    /// <summary>Ends the activation once its running calls are done.</summary>
    protected void DeactivateOnIdle() => Activation.DeactivateOnIdle();

    /// <summary>Keeps the activation from being collected for <paramref name="timeSpan"/>; a negative span lifts that.</summary>
    protected void DelayDeactivation(TimeSpan timeSpan) => Activation.DelayDeactivation(timeSpan);

    /// <summary>Called before the first call.</summary>
    public virtual Task OnActivateAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Called after the last call.</summary>
    public virtual Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>A grain with state in the default <see cref="Orleans.Storage.IGrainStorage"/>, read before it is activated.</summary>
public class Grain<TGrainState> : Grain
{
    private readonly Orleans.Runtime.Storage.StateHolder<TGrainState> _holder;

    /// <summary>Called by the runtime through the derived class.</summary>
    protected Grain()
    {
        _holder = new Orleans.Runtime.Storage.StateHolder<TGrainState>(Activation, "state");
        Activation.StateToRead = _holder;
    }

    /// <summary>The state, as last read or written.</summary>
    protected TGrainState State
    {
        get => _holder.State;
        set => _holder.State = value;
    }

    /// <summary>Removes the stored state.</summary>
    /// <exception cref="Orleans.Storage.InconsistentStateException">Someone else wrote it.</exception>
    protected virtual Task ClearStateAsync() => _holder.ClearAsync();

    /// <summary>Writes the state.</summary>
    /// <exception cref="Orleans.Storage.InconsistentStateException">Someone else wrote it.</exception>
    protected virtual Task WriteStateAsync() => _holder.WriteAsync();

    /// <summary>Reads the state again; what was not written is lost.</summary>
    protected virtual Task ReadStateAsync() => _holder.ReadAsync();
}
