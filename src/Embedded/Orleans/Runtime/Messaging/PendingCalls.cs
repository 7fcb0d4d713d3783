namespace Orleans.Runtime.Messaging;

/// <summary>
/// The calls that wait for an outcome, found by number without allocation. A number holds stripe, slot and the slot's
/// use, so that a late response never meets the call that has the slot now.
/// </summary>
internal sealed class PendingCalls : IDisposable
{
    /// <summary>How exact timeouts are.</summary>
    public static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);

    private const int StripeBits = 4;
    private const int SlotBits = 28;

    private readonly Stripe[] _stripes = [.. Enumerable.Range(0, 1 << StripeBits).Select(_ => new Stripe())];
    private readonly ITimer _timer;
    private readonly Action<Request> _onTimeout;
    private readonly TimeProvider _time;
    private readonly long _start;

    public PendingCalls(TimeProvider time, Action<Request> onTimeout)
    {
        _onTimeout = onTimeout;
        _time = time;
        _start = time.GetTimestamp();
        _timer = time.CreateTimer(static state => ((PendingCalls)state!).Sweep(), this, Tick, Tick);
    }

    /// <summary>The current tick; moves by the timer alone, so reading it is free.</summary>
    public long Now { get; private set; } = 1;

    public int Count => _stripes.Sum(stripe => stripe.Used);

    public long DeadlineAfter(TimeSpan timeout) =>
        timeout == Timeout.InfiniteTimeSpan ? 0 : Now + (timeout.Ticks / Tick.Ticks) + 1;

    public void Add(Request request)
    {
        int index = Thread.GetCurrentProcessorId() & ((1 << StripeBits) - 1);
        request.CorrelationId = _stripes[index].Add(request, (ulong)index);
    }

    /// <summary>Frees the number; null where it is not in use any more.</summary>
    public Request? Remove(ulong id) => _stripes[id & ((1 << StripeBits) - 1)].Remove(id);

    /// <summary>The calls that <paramref name="wanted"/> accepts; they stay pending.</summary>
    public List<Request> Find(Func<Request, bool> wanted)
    {
        List<Request> found = [];
        foreach (Stripe stripe in _stripes)
        {
            stripe.Collect(wanted, found);
        }
        return found;
    }

    public void Dispose() => _timer.Dispose();

    private void Sweep()
    {
        long now = 1 + (_time.GetElapsedTime(_start).Ticks / Tick.Ticks);
        Now = now;
        foreach (Stripe stripe in _stripes)
        {
            if (stripe.Used > 0)
            {
                List<Request> late = [];
                stripe.Collect(request => request.DeadlineTick != 0 && request.DeadlineTick < now, late);
                late.ForEach(_onTimeout);
            }
        }
    }

    private sealed class Stripe
    {
        private readonly Lock _lock = new();
        private Slot[] _slots = new Slot[64];
        private int _high;
        private int _free = -1;

        public int Used { get; private set; }

        public ulong Add(Request request, ulong stripe)
        {
            lock (_lock)
            {
                int index = _free;
                if (index >= 0)
                {
                    _free = _slots[index].NextFree;
                }
                else
                {
                    index = _high++;
                    if (index == _slots.Length)
                    {
                        Array.Resize(ref _slots, index * 2);
                    }
                }
                ref Slot slot = ref _slots[index];
                slot.Request = request;
                slot.Use++;
                Used++;
                return ((ulong)slot.Use << (StripeBits + SlotBits)) | ((ulong)index << StripeBits) | stripe;
            }
        }

        public Request? Remove(ulong id)
        {
            int index = (int)((id >> StripeBits) & ((1 << SlotBits) - 1));
            lock (_lock)
            {
                if (index >= _high || _slots[index].Use != (uint)(id >> (StripeBits + SlotBits)) || _slots[index].Request is not { } request)
                {
                    return null;
                }
                _slots[index].Request = null;
                _slots[index].NextFree = _free;
                _free = index;
                Used--;
                return request;
            }
        }

        public void Collect(Func<Request, bool> wanted, List<Request> found)
        {
            lock (_lock)
            {
                for (int i = 0; i < _high; i++)
                {
                    if (_slots[i].Request is { } request && wanted(request))
                    {
                        found.Add(request);
                    }
                }
            }
        }

        private struct Slot
        {
            public Request? Request;
            public uint Use;
            public int NextFree;
        }
    }
}
