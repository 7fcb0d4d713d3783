using System.Runtime.ExceptionServices;
using MmCluster.Tensors;

namespace MmCluster.Engine.TensorParallel;

/// <summary>
/// The ranks of a group at work: the first on its caller's thread, each other one on a thread of its own. Where one fails, the group is aborted, so that nobody waits for
/// it, and the failure that came first is told.
/// </summary>
internal sealed class RankTeam : IDisposable
{
    private readonly IReadOnlyList<ProcessGroup> _groups;
    private readonly RankThread[] _threads;
    private readonly Action[] _turns;
    private readonly Lock _gate = new();
    private Action<int>? _work;
    private ExceptionDispatchInfo? _failure;

    public RankTeam(IReadOnlyList<ProcessGroup> groups)
    {
        _groups = groups;
        _threads = [.. groups.Skip(1).Select(group => new RankThread(group.Rank))];
        _turns = [.. groups.Select(group => (Action)(() => Turn(group.Rank)))];
    }

    /// <summary>Runs <paramref name="work"/> for all ranks at once and returns when all are done.</summary>
    /// <exception cref="Exception">What the first rank to fail has thrown; the group is aborted then.</exception>
    public void Run(Action<int> work)
    {
        _work = work;
        _failure = null;
        for (int i = 0; i < _threads.Length; i++)
        {
            _threads[i].Begin(_turns[i + 1]);
        }
        _turns[0]();
        foreach (RankThread thread in _threads)
        {
            thread.Wait();
        }
        _failure?.Throw();
    }

    /// <summary>Makes the group usable again behind a failure; no rank holds calls of it.</summary>
    /// <exception cref="CollectiveException">It cannot be used again.</exception>
    public void Restore()
    {
        foreach (ProcessGroup group in _groups)
        {
            group.Restore();
        }
    }

    /// <summary>Says that the group is of no more use.</summary>
    public void GiveUp(Exception reason)
    {
        foreach (ProcessGroup group in _groups)
        {
            group.GiveUp(reason);
        }
    }

    public void Dispose() => Array.ForEach(_threads, thread => thread.Dispose());

    private void Turn(int rank)
    {
        try
        {
            _work!(rank);
            _groups[rank].Check();
        }
        catch (Exception error)
        {
            lock (_gate)
            {
                _failure ??= ExceptionDispatchInfo.Capture(error);
            }
            _groups[rank].Abort(error);
        }
    }
}
