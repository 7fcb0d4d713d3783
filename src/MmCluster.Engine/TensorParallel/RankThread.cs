namespace MmCluster.Engine.TensorParallel;

/// <summary>A rank's thread: does one piece of work after another, each while its owner waits for it or does a rank's work himself. Allocates nothing.</summary>
internal sealed class RankThread : IDisposable
{
    private readonly object _gate = new();
    private readonly Thread _thread;
    private Action? _work;
    private bool _ended;

    public RankThread(int rank)
    {
        _thread = new Thread(Loop) { IsBackground = true, Name = $"rank-{rank}" };
        _thread.Start();
    }

    /// <summary>Begins <paramref name="work"/>, which throws nothing. What was begun before is done.</summary>
    public void Begin(Action work)
    {
        lock (_gate)
        {
            _work = work;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Waits until it is done.</summary>
    public void Wait()
    {
        lock (_gate)
        {
            while (_work is not null)
            {
                Monitor.Wait(_gate);
            }
        }
    }

    /// <summary>Ends the thread; what was begun is done.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _ended = true;
            Monitor.PulseAll(_gate);
        }
        _thread.Join();
    }

    private void Loop()
    {
        while (true)
        {
            Action? work;
            lock (_gate)
            {
                while (_work is null && !_ended)
                {
                    Monitor.Wait(_gate);
                }
                work = _work;
            }
            if (work is null)
            {
                return;
            }
            work();
            lock (_gate)
            {
                _work = null;
                Monitor.PulseAll(_gate);
            }
        }
    }
}
