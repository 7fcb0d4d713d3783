using Orleans.Runtime.Catalog;

namespace Orleans.Runtime.Streaming;

/// <summary>The open enumerations of one activation. Each is asked by one caller; those nobody asks expire.</summary>
internal sealed class EnumeratorStore : IDisposable
{
    private readonly Dictionary<Guid, HeldEnumerator> _open = [];
    private readonly SiloServices _services;
    private readonly ActivationData _activation;
    private readonly ITimer _sweep;

    public EnumeratorStore(ActivationData activation)
    {
        _services = activation.Services;
        _activation = activation;
        TimeSpan period = _services.MessagingOptions.ResponseTimeout / 4;
        _sweep = _services.Time.CreateTimer(_ => ExpireIdle(), null, period, period);
    }

    public void Add(Guid id, HeldEnumerator enumerator)
    {
        lock (_open)
        {
            _open.Add(id, enumerator);
        }
    }

    /// <summary>The next items; Missing where the enumeration is not there any more.</summary>
    public async Task<Step> StepAsync(Guid id)
    {
        HeldEnumerator? held;
        lock (_open)
        {
            _open.TryGetValue(id, out held);
        }
        if (held is null)
        {
            return Step.Missing;
        }
        // Shorter than any response timeout, so that a slow stream costs a heartbeat and no timeout.
        TimeSpan poll = TimeSpan.FromTicks(Math.Min(TimeSpan.FromSeconds(10).Ticks, _services.MessagingOptions.ResponseTimeout.Ticks / 2));
        Step step = await held.NextAsync(poll, _services.Time);
        if (step.Status is StepStatus.Completed or StepStatus.Failed)
        {
            await CloseAsync(id);
        }
        return step;
    }

    public async Task CloseAsync(Guid id)
    {
        HeldEnumerator? held;
        lock (_open)
        {
            _open.Remove(id, out held);
        }
        if (held is not null)
        {
            await held.CloseAsync();
        }
    }

    public void Dispose()
    {
        _sweep.Dispose();
        HeldEnumerator[] all;
        lock (_open)
        {
            all = [.. _open.Values];
            _open.Clear();
        }
        foreach (HeldEnumerator held in all)
        {
            _ = held.CloseAsync();
        }
    }

    private void ExpireIdle()
    {
        Guid[] idle;
        lock (_open)
        {
            idle = [.. _open.Where(pair => pair.Value.IdleFor(_services.Time) > _services.MessagingOptions.ResponseTimeout).Select(pair => pair.Key)];
        }
        foreach (Guid id in idle)
        {
            // In a turn, as the method's finally blocks run.
            _activation.Turns.Post(state => _ = CloseAsync((Guid)state!), id);
        }
    }
}
