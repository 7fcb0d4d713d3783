using Orleans.Runtime;

namespace Orleans
{
    /// <summary>Base of everything that calls are made on through a reference.</summary>
    public interface IGrain : IAddressable
    {
    }

    /// <summary>A grain whose key is a <see cref="Guid"/>.</summary>
    public interface IGrainWithGuidKey : IGrain
    {
    }

    /// <summary>A grain whose key is a <see cref="long"/>.</summary>
    public interface IGrainWithIntegerKey : IGrain
    {
    }

    /// <summary>A grain whose key is a text.</summary>
    public interface IGrainWithStringKey : IGrain
    {
    }

    /// <summary>A grain whose key is a <see cref="Guid"/> and a text.</summary>
    public interface IGrainWithGuidCompoundKey : IGrain
    {
    }

    /// <summary>A grain whose key is a <see cref="long"/> and a text.</summary>
    public interface IGrainWithIntegerCompoundKey : IGrain
    {
    }

    /// <summary>An object outside of grains that grains call back.</summary>
    public interface IGrainObserver : IAddressable
    {
    }

    /// <summary>What a grain class implements; <see cref="Grain"/> does.</summary>
    public interface IGrainBase
    {
        /// <summary>The activation.</summary>
        IGrainContext GrainContext { get; }

        /// <summary>Called before the first call; <paramref name="token"/> is cancelled when activation takes too long.</summary>
        Task OnActivateAsync(CancellationToken token) => Task.CompletedTask;

        /// <summary>Called after the last call; <paramref name="token"/> is cancelled when deactivation takes too long.</summary>
        Task OnDeactivateAsync(DeactivationReason reason, CancellationToken token) => Task.CompletedTask;
    }

    /// <summary>Why an activation ends.</summary>
    public readonly struct DeactivationReason
    {
        internal DeactivationReason(DeactivationReasonCode code, string description, Exception? exception = null)
        {
            ReasonCode = code;
            Description = description;
            Exception = exception;
        }

        internal DeactivationReasonCode ReasonCode { get; }

        internal string Description { get; }

        internal Exception? Exception { get; }

        /// <summary>Code and description.</summary>
        public override string ToString() => $"{ReasonCode}: {Description}";
    }

    internal enum DeactivationReasonCode
    {
        None,
        ShuttingDown,
        ActivationFailed,
        DirectoryFailure,
        ActivationIdle,
        DuplicateActivation,
        ApplicationRequested,
        ApplicationError,
        RuntimeRequested,
    }
}

namespace Orleans.Runtime
{
    /// <summary>Something that messages can be addressed to.</summary>
    public interface IAddressable
    {
    }

    /// <summary>One activation of a grain.</summary>
    public interface IGrainContext : Orleans.Serialization.Invocation.ITargetHolder, IEquatable<IGrainContext>
    {
        /// <summary>The reference that others call the grain by.</summary>
        GrainReference GrainReference { get; }

        /// <summary>The grain.</summary>
        GrainId GrainId { get; }

        /// <summary>The object of the grain class; null until it is made.</summary>
        object? GrainInstance { get; }

        /// <summary>The activation.</summary>
        ActivationId ActivationId { get; }

        /// <summary>Grain, activation and silo.</summary>
        GrainAddress Address { get; }

        /// <summary>The services of this activation, disposed with it.</summary>
        IServiceProvider ActivationServices { get; }

        /// <summary>Completes when the activation is gone.</summary>
        Task Deactivated { get; }

        /// <summary>Starts to end the activation.</summary>
        void Deactivate(DeactivationReason deactivationReason, CancellationToken cancellationToken = default);
    }

    /// <summary>A timer of a grain, whose ticks are turns of it.</summary>
    public interface IGrainTimer : IDisposable
    {
        /// <summary>Sets the next tick and the time between ticks; an infinite period means one tick.</summary>
        void Change(TimeSpan dueTime, TimeSpan period);
    }

    /// <summary>When a grain timer ticks and what it may interleave with.</summary>
    public readonly struct GrainTimerCreationOptions
    {
        /// <summary>Options to be set by an initializer.</summary>
        public GrainTimerCreationOptions()
        {
        }

        /// <summary>A timer that first ticks after <paramref name="dueTime"/> and then every <paramref name="period"/>.</summary>
        [System.Diagnostics.CodeAnalysis.SetsRequiredMembers]
        public GrainTimerCreationOptions(TimeSpan dueTime, TimeSpan period)
        {
            DueTime = dueTime;
            Period = period;
        }

        /// <summary>The time to the first tick.</summary>
        public required TimeSpan DueTime { get; init; }

        /// <summary>The time from the end of a tick to the next; infinite for a single tick.</summary>
        public required TimeSpan Period { get; init; }

        /// <summary>Whether ticks interleave with calls; the default is no.</summary>
        public bool Interleave { get; init; }

        /// <summary>Whether a tick counts as use, so that it keeps the activation from being collected; the default is no.</summary>
        public bool KeepAlive { get; init; }
    }
}

namespace Orleans.Serialization.Invocation
{
    /// <summary>Something that holds the target of an invocation.</summary>
    public interface ITargetHolder
    {
    }
}
