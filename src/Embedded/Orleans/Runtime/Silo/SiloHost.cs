using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Hosting;
using Orleans.Runtime.Membership;

namespace Orleans.Runtime.Silo;

/// <summary>A silo: makes its parts, joins the cluster, and leaves it with its grains handed over.</summary>
internal sealed partial class SiloHost : IHostedService, IAsyncDisposable
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    private readonly SiloParts _parts;
    private readonly IServiceProvider _provider;
    private readonly CancellationTokenSource _stopping = new();
    private bool _started;
    private bool _stopped;

    public SiloHost(SiloParts parts, IServiceProvider provider)
    {
        _parts = parts;
        _provider = provider;
    }

    private ILogger Logger => _parts.Services.Logger;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _parts.Network.Start();
        _parts.Membership.Applied = OnView;
        _parts.Membership.Changed = version => _ = GossipAsync(version);
        _parts.Membership.DeclaredDead = OnDeclaredDead;
        using CancellationTokenSource late = new(_parts.MembershipOptions.MaxJoinAttemptTime, _parts.Services.Time);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        await _parts.Membership.JoinAsync(stop.Token);
        await _parts.Membership.SetStatusAsync(SiloStatus.Active, stop.Token);
        _started = true;
        _ = RepeatAsync(_parts.MembershipOptions.TableRefreshTimeout, () => _parts.Membership.Refresh().AsTask());
        _ = RepeatAsync(_parts.MembershipOptions.IAmAliveTablePublishTimeout, _parts.Membership.PublishAliveAsync);
        _ = RepeatAsync(TimeSpan.FromSeconds(1), AskLoadsAsync);
        if (_parts.MembershipOptions.DefunctSiloCleanupPeriod is { } period)
        {
            _ = RepeatAsync(period, _parts.Membership.CleanUpAsync);
        }
        LogStarted(Logger, _parts.Services.Self);
        foreach (StartupTaskEntry task in _provider.GetServices<StartupTaskEntry>().OrderBy(task => task.Stage))
        {
            await task.Run(_provider, cancellationToken);
        }
    }

    /// <summary>Leaves: no new grains come, the present ones end and are unregistered, then the row says Dead.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (!_started || _stopped)
        {
            return;
        }
        _stopped = true;
        try
        {
            if (!cancellationToken.IsCancellationRequested)
            {
                await _parts.Membership.SetStatusAsync(SiloStatus.ShuttingDown, cancellationToken);
                Task clients = _parts.Network.LetClientsGoAsync(_parts.Services.MessagingOptions.ResponseTimeout, cancellationToken);
                await _parts.Services.Catalog.DeactivateAllAsync(cancellationToken);
                await SayLeavingAsync();
                await WaitForClientsAsync(clients);
            }
            await LeaveAsync(cancellationToken.IsCancellationRequested ? TimeSpan.Zero : CloseTimeout);
        }
        catch (Exception error)
        {
            LogStopFailed(Logger, error);
            await LeaveAsync(TimeSpan.Zero);
        }
        LogStopped(Logger, _parts.Services.Self);
    }

    public ValueTask DisposeAsync()
    {
        Kill();
        return ValueTask.CompletedTask;
    }

    /// <summary>Ends at once, as a killed process does: nobody is told.</summary>
    public void Kill()
    {
        _stopped = true;
        _stopping.Cancel();
        _parts.Monitor.Dispose();
        _parts.Network.Dispose();
        _parts.Services.Catalog.Dispose();
        _parts.Services.Runtime.Dispose();
        foreach (Messaging.Request request in _parts.Services.Runtime.Pending.Find(_ => true))
        {
            request.TryFail(new SiloUnavailableException($"{_parts.Services.Self} has stopped."));
        }
    }

    // No call is lost with this silo: the others send none here any more, and those on their way are answered.
    private async Task SayLeavingAsync()
    {
        try
        {
            await Task.WhenAll(_parts.Membership.CurrentSnapshot.Members.Values
                .Where(member => member.Status == SiloStatus.Active)
                .Select(member => Peer(member.SiloAddress).Leaving(_parts.Services.Self).AsTask())).WaitAsync(CloseTimeout, _parts.Services.Time);
        }
        catch (Exception error) when (error is OrleansException or TimeoutException)
        {
            LogLeftEarly(Logger, error.Message);
        }
    }

    // A client's calls through this silo are answered before it goes, wherever their grains are; what takes longer than a call may has failed by then.
    private async Task WaitForClientsAsync(Task clients)
    {
        try
        {
            await clients;
        }
        catch (Exception error) when (error is TimeoutException or OperationCanceledException)
        {
            LogLeftEarly(Logger, error.Message);
        }
    }

    private async Task LeaveAsync(TimeSpan closeTimeout)
    {
        await _stopping.CancelAsync();
        _parts.Monitor.Dispose();
        if (closeTimeout > TimeSpan.Zero)
        {
            await _parts.Membership.SetStatusAsync(SiloStatus.Dead, CancellationToken.None);
            await _parts.Network.StopAsync(closeTimeout);
        }
        Kill();
    }

    private void OnView(ClusterMembershipSnapshot snapshot)
    {
        foreach (ClusterMember member in snapshot.Members.Values.Where(member => member.Status == SiloStatus.Dead))
        {
            _parts.Loads.Remove(member.SiloAddress);
        }
        _parts.Network.Apply(snapshot);
        _parts.Services.Directory.Apply(snapshot);
        _parts.Infos.Apply(snapshot);
        _parts.Monitor.Apply(snapshot);
        foreach (ClusterMember member in snapshot.Members.Values.Where(member => member.Status == SiloStatus.Dead))
        {
            _parts.Runtime.OnSiloLost(member.SiloAddress, $"{member.SiloAddress} is dead.");
        }
    }

    private async Task GossipAsync(MembershipVersion version)
    {
        foreach (ClusterMember member in _parts.Membership.CurrentSnapshot.Members.Values)
        {
            if (!member.SiloAddress.Equals(_parts.Services.Self)
                && member.Status is SiloStatus.Active or SiloStatus.Joining or SiloStatus.ShuttingDown)
            {
                await Peer(member.SiloAddress).TableChanged(version);
            }
        }
    }

    private async Task AskLoadsAsync()
    {
        _parts.Loads.Set(_parts.Services.Self, _parts.Services.Catalog.Count);
        foreach (ClusterMember member in _parts.Membership.CurrentSnapshot.Members.Values.Where(member => member.Status == SiloStatus.Active))
        {
            if (!member.SiloAddress.Equals(_parts.Services.Self))
            {
                _parts.Loads.Set(member.SiloAddress, await Peer(member.SiloAddress).GetLoad());
            }
        }
    }

    // Others have given this silo up and may run its grains already: it must not go on.
    private void OnDeclaredDead()
    {
        LogDeclaredDead(Logger, _parts.Services.Self);
        Kill();
        _provider.GetService<IHostApplicationLifetime>()?.StopApplication();
    }

    private async Task RepeatAsync(TimeSpan period, Func<Task> act)
    {
        using PeriodicTimer timer = new(period, _parts.Services.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                try
                {
                    await act();
                }
                catch (Exception error) when (error is not OperationCanceledException)
                {
                    LogRepeatFailed(Logger, error.Message);
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private IMembershipPeer Peer(SiloAddress silo) => _parts.Services.Runtime.References.Service<IMembershipPeer>(silo);

    [LoggerMessage(EventId = 1731, Level = LogLevel.Information, Message = "{Silo} has joined the cluster.")]
    private static partial void LogStarted(ILogger logger, SiloAddress silo);

    [LoggerMessage(EventId = 1732, Level = LogLevel.Information, Message = "{Silo} has left the cluster.")]
    private static partial void LogStopped(ILogger logger, SiloAddress silo);

    [LoggerMessage(EventId = 1736, Level = LogLevel.Information, Message = "The silo leaves although others may still wait for answers: {Reason}")]
    private static partial void LogLeftEarly(ILogger logger, string reason);

    [LoggerMessage(EventId = 1733, Level = LogLevel.Warning, Message = "The silo did not stop cleanly.")]
    private static partial void LogStopFailed(ILogger logger, Exception error);

    [LoggerMessage(EventId = 1734, Level = LogLevel.Critical, Message = "{Silo} has been declared dead by others and stops.")]
    private static partial void LogDeclaredDead(ILogger logger, SiloAddress silo);

    [LoggerMessage(EventId = 1735, Level = LogLevel.Debug, Message = "A periodic task of the silo failed: {Reason}.")]
    private static partial void LogRepeatFailed(ILogger logger, string reason);
}
