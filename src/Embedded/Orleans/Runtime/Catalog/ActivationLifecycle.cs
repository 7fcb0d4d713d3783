using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Runtime.Messaging;

namespace Orleans.Runtime.Catalog;

/// <summary>
/// Begins and ends an activation: register, make the object, read its state, OnActivateAsync; then, once nothing runs,
/// OnDeactivateAsync, unregister, and send on what waits. Both halves are turns of the activation. The time for the end
/// counts from when it is wanted: a call that never ends keeps nobody.
/// </summary>
internal sealed partial class ActivationLifecycle(ActivationData activation)
{
    private readonly SiloServices _services = activation.Services;
    private AsyncServiceScope _scope;
    private DeactivationReason _reason;
    private CancellationTokenSource? _late;
    private CancellationTokenRegistration _prompt;
    private bool _ending;
    private bool _endAfterStart;

    public void Begin(Dictionary<string, object>? context) =>
        activation.Turns.Post(static state =>
        {
            (ActivationLifecycle self, Dictionary<string, object>? context) = ((ActivationLifecycle, Dictionary<string, object>?))state!;
            self.BeginAsync(context);
        }, (this, context));

    /// <summary>Notes that the end is wanted; false where it must wait until the start is done. Called under the activation's lock.</summary>
    public bool TryRequestEnd(DeactivationReason reason, ActivationState state)
    {
        _reason = reason;
        _endAfterStart = state == ActivationState.Activating;
        return !_endAfterStart;
    }

    /// <summary>Called once the end is wanted: it begins without waiting for what runs when the time is up or <paramref name="prompt"/> says so. Called under the activation's lock.</summary>
    public void BoundEnd(CancellationToken prompt)
    {
        CancellationTokenSource late = new(_services.CollectionOptions.DeactivationTimeout, _services.Time);
        _late = late;
        late.Token.UnsafeRegister(static state => ((ActivationLifecycle)state!).OnLate(), this);
        _prompt = prompt.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), late);
    }

    /// <summary>Called whenever nothing runs and the end is wanted.</summary>
    public void OnQuiet()
    {
        if (!Interlocked.Exchange(ref _ending, true))
        {
            activation.Turns.Post(static state => ((ActivationLifecycle)state!).EndAsync(), this);
        }
    }

    private void OnLate()
    {
        if (!_ending)
        {
            LogCallsLeft(_services.Logger, activation.GrainId, _services.CollectionOptions.DeactivationTimeout);
            OnQuiet();
        }
    }

    private async void BeginAsync(Dictionary<string, object>? context)
    {
        try
        {
            if (await RegisterAsync() is { } elsewhere)
            {
                Abandon(new DeactivationReason(DeactivationReasonCode.DuplicateActivation, $"It is active at {elsewhere}."), null, elsewhere.SiloAddress);
                return;
            }
        }
        catch (Exception error)
        {
            LogActivationFailed(_services.Logger, error, activation.GrainId);
            Abandon(new DeactivationReason(DeactivationReasonCode.DirectoryFailure, "It could not be registered.", error), error);
            return;
        }
        try
        {
            await ActivateAsync(context);
        }
        catch (Exception error)
        {
            LogActivationFailed(_services.Logger, error, activation.GrainId);
            await UnregisterAsync();
            Abandon(new DeactivationReason(DeactivationReasonCode.ActivationFailed, "It could not be activated.", error), error);
            return;
        }
        if (activation.TryBecomeValid() && _endAfterStart)
        {
            activation.Deactivate(_reason);
        }
    }

    // The address at which the grain is active already, or null where this activation is the one.
    private async Task<GrainAddress?> RegisterAsync()
    {
        if (!activation.GrainClass.UsesDirectory)
        {
            return null;
        }
        GrainAddress winner = await _services.Directory.RegisterAsync(activation.Address);
        return winner.Matches(activation.Address) ? null : winner;
    }

    private async Task ActivateAsync(Dictionary<string, object>? context)
    {
        _scope = _services.Provider.CreateAsyncScope();
        activation.ActivationServices = _scope.ServiceProvider;
        RequestContext.Import(context);
        activation.GrainInstance = _services.GrainFactories.Create(activation);
        using CancellationTokenSource late = new(_services.CollectionOptions.ActivationTimeout, _services.Time);
        if (activation.StateToRead is { } state)
        {
            await state.ReadAsync().WaitAsync(late.Token);
        }
        try
        {
            await ((IGrainBase)activation.GrainInstance).OnActivateAsync(late.Token).WaitAsync(late.Token);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested)
        {
            throw new TimeoutException($"{activation.GrainId} was not activated within {_services.CollectionOptions.ActivationTimeout}.");
        }
    }

    private async void EndAsync()
    {
        CancellationTokenSource late = _late!;
        activation.Timers.Dispose();
        activation.Enumerators?.Dispose();
        try
        {
            RequestContext.Clear();
            await ((IGrainBase)activation.GrainInstance!).OnDeactivateAsync(_reason, late.Token).WaitAsync(late.Token);
        }
        catch (Exception error)
        {
            LogDeactivationFailed(_services.Logger, error, activation.GrainId);
        }
        await _prompt.DisposeAsync();
        late.Dispose();
        await UnregisterAsync();
        Abandon(_reason, null);
        await DisposeAsync();
        activation.SetDeactivated();
    }

    private async Task UnregisterAsync()
    {
        if (!activation.GrainClass.UsesDirectory)
        {
            return;
        }
        try
        {
            await _services.Directory.UnregisterAsync(activation.Address);
        }
        catch (Exception error)
        {
            LogUnregisterFailed(_services.Logger, error, activation.GrainId);
        }
    }

    // Sends on what waits: to the grain wherever it is now, or back to the callers where it could not be activated.
    private void Abandon(DeactivationReason reason, Exception? error, SiloAddress? winner = null)
    {
        activation.Owner.Forget(activation);
        foreach (Request request in activation.BecomeInvalid())
        {
            if (error is not null)
            {
                request.Reject(error);
            }
            else if (winner is not null && !winner.Equals(_services.Self))
            {
                // Not by a new look-up: several losers could send a request round until it has been sent on too often.
                _services.Router.RedirectTo(request, winner);
            }
            else
            {
                _services.Router.Redirect(request);
            }
        }
        LogEnded(_services.Logger, activation.GrainId, reason);
        if (reason.ReasonCode is DeactivationReasonCode.DuplicateActivation or DeactivationReasonCode.DirectoryFailure or DeactivationReasonCode.ActivationFailed)
        {
            _ = DisposeAsync();
            activation.SetDeactivated();
        }
    }

    private async Task DisposeAsync()
    {
        try
        {
            switch (activation.GrainInstance)
            {
                case IAsyncDisposable disposable:
                    await disposable.DisposeAsync();
                    break;
                case IDisposable disposable:
                    disposable.Dispose();
                    break;
                default:
                    break;
            }
            if (activation.ActivationServices is not null)
            {
                await _scope.DisposeAsync();
            }
        }
        catch (Exception error)
        {
            LogDeactivationFailed(_services.Logger, error, activation.GrainId);
        }
    }

    [LoggerMessage(EventId = 1201, Level = LogLevel.Error, Message = "{Grain} could not be activated.")]
    private static partial void LogActivationFailed(ILogger logger, Exception error, GrainId grain);

    [LoggerMessage(EventId = 1202, Level = LogLevel.Error, Message = "{Grain} did not deactivate cleanly.")]
    private static partial void LogDeactivationFailed(ILogger logger, Exception error, GrainId grain);

    [LoggerMessage(EventId = 1205, Level = LogLevel.Warning, Message = "{Grain} ends although calls of it still run after {Timeout}.")]
    private static partial void LogCallsLeft(ILogger logger, GrainId grain, TimeSpan timeout);

    [LoggerMessage(EventId = 1203, Level = LogLevel.Warning, Message = "{Grain} could not be removed from the directory.")]
    private static partial void LogUnregisterFailed(ILogger logger, Exception error, GrainId grain);

    [LoggerMessage(EventId = 1204, Level = LogLevel.Debug, Message = "{Grain} ended: {Reason}.")]
    private static partial void LogEnded(ILogger logger, GrainId grain, DeactivationReason reason);
}
