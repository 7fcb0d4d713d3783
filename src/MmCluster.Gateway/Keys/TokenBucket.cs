namespace MmCluster.Gateway.Keys;

/// <summary>Fills by <paramref name="perSecond"/> up to <paramref name="capacity"/>; begins full. Safe to call from any thread.</summary>
internal sealed class TokenBucket(double perSecond, double capacity, TimeProvider time)
{
    private readonly Lock _gate = new();
    private double _missing;
    private long _filledAt = time.GetTimestamp();

    /// <summary>Takes <paramref name="amount"/> and returns null, or takes nothing and returns how long to wait for it.</summary>
    public TimeSpan? TryTake(double amount)
    {
        lock (_gate)
        {
            if (Wait(amount) is { } wait)
            {
                return wait;
            }
            _missing += amount;
            return null;
        }
    }

    /// <summary>How long until it holds <paramref name="amount"/>, or null when it does.</summary>
    public TimeSpan? WaitFor(double amount)
    {
        lock (_gate)
        {
            return Wait(amount);
        }
    }

    /// <summary>Takes what was already used, below zero if need be.</summary>
    public void Charge(double amount)
    {
        lock (_gate)
        {
            Fill();
            _missing += amount;
        }
    }

    private TimeSpan? Wait(double amount)
    {
        Fill();
        // A wait that was slept to the end must not fail by a rounding error.
        double lacking = amount - (capacity - _missing);
        return lacking <= 1e-6 ? null : TimeSpan.FromSeconds(Math.Min(lacking / perSecond, 86_400));
    }

    private void Fill()
    {
        long now = time.GetTimestamp();
        _missing = Math.Max(0, _missing - perSecond * time.GetElapsedTime(_filledAt, now).TotalSeconds);
        _filledAt = now;
    }
}
