using System.Collections.Concurrent;
using MmCluster.Engine.Hosting;
using MmCluster.Models;

namespace MmCluster.Gateway.Admission;

/// <summary>
/// A model's requests in flight, and the ids of all. A choice costs 1 and a media item 1; at most <paramref name="maxQueue"/> of cost are here at
/// once, of which <paramref name="maxRunning"/> choices are with the model; the others wait in a <see cref="FairQueue"/>. When it is full, the tenant
/// with the most waiting makes room for one with less: its newest waiting request is turned down. Safe to call from any thread.
/// </summary>
/// <param name="ids">Ids in flight, of all models.</param>
/// <param name="maxQueue">Cost units at once; null is no limit.</param>
/// <param name="maxRunning">Choices with the model at once; null is no limit, and nobody waits here.</param>
internal sealed class AdmissionGate(ConcurrentDictionary<string, bool> ids, int? maxQueue, int? maxRunning = null)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly FairQueue _waiting = new();
    private int _used;
    private int _running;

    /// <summary>Cost units in flight, waiting ones included.</summary>
    public int Used
    {
        get
        {
            lock (_gate)
            {
                return _used;
            }
        }
    }

    /// <summary>Requests that wait for others to end.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate)
            {
                return _waiting.Count;
            }
        }
    }

    /// <summary>Takes the id and all units of a request, and waits for its turn; <see cref="Leave"/> gives them back.</summary>
    /// <exception cref="MmException">AlreadyExists for an id in flight; Unavailable, with when to retry, when the queue is full.</exception>
    /// <exception cref="OperationCanceledException">Given up while it waited; nothing is held then.</exception>
    public ValueTask<AdmissionTicket> EnterAsync(ModelRequest request, CancellationToken cancellationToken)
    {
        // What is larger than the whole queue runs alone: refusing it could never be retried with success.
        var ticket = new AdmissionTicket(request, Math.Min(CostOf(request), maxQueue ?? int.MaxValue), Math.Min(request.Sampling.Choices, maxRunning ?? int.MaxValue));
        if (!ids.TryAdd(request.Id, true))
        {
            throw new MmException(MmErrorCode.AlreadyExists, $"a request of id '{request.Id}' is in flight; wait for it or take another id") { Param = "X-Request-Id" };
        }
        Task turn;
        lock (_gate)
        {
            if (!HasRoom(ticket))
            {
                ids.TryRemove(request.Id, out _);
                throw Full();
            }
            _used += ticket.Cost;
            if (_waiting.Count == 0 && Fits(ticket))
            {
                _running += ticket.Choices;
                return ValueTask.FromResult(ticket);
            }
            _waiting.Add(ticket);
            turn = ticket.Turn.Task;
            // A ticket of higher priority may go before those that need more choices than are free.
            Dispatch();
        }
        return WaitAsync(ticket, turn, cancellationToken);
    }

    public void Leave(AdmissionTicket ticket)
    {
        lock (_gate)
        {
            _running -= ticket.Choices;
            GiveBack(ticket);
            Dispatch();
        }
    }

    private async ValueTask<AdmissionTicket> WaitAsync(AdmissionTicket ticket, Task turn, CancellationToken cancellationToken)
    {
        try
        {
            await turn.WaitAsync(cancellationToken);
            return ticket;
        }
        catch (OperationCanceledException)
        {
            lock (_gate)
            {
                if (_waiting.Remove(ticket))
                {
                    GiveBack(ticket);
                    Dispatch();
                    throw;
                }
            }
            // Its turn, or its refusal, came at the same time.
            if (turn.IsCompletedSuccessfully)
            {
                Leave(ticket);
            }
            throw;
        }
    }

    private bool HasRoom(AdmissionTicket ticket)
    {
        if (maxQueue is not { } most)
        {
            return true;
        }
        while (_used + ticket.Cost > most)
        {
            if (_waiting.TakeFromLongest(than: ticket) is not { } dropped)
            {
                return false;
            }
            GiveBack(dropped);
            dropped.Turn.TrySetException(Full());
        }
        return true;
    }

    private void Dispatch()
    {
        while (_waiting.Next() is { } next && Fits(next))
        {
            _waiting.Start(next);
            _running += next.Choices;
            next.Turn.TrySetResult();
        }
    }

    private bool Fits(AdmissionTicket ticket) => maxRunning is not { } most || _running + ticket.Choices <= most;

    private void GiveBack(AdmissionTicket ticket)
    {
        _used -= ticket.Cost;
        ids.TryRemove(ticket.Id, out _);
    }

    private MmException Full() => new(MmErrorCode.Unavailable, $"the queue of {maxQueue} is full; try again later") { RetryAfter = RetryAfter };

    private static int CostOf(ModelRequest request) => request.Sampling.Choices + (request.Input is ModelInput.Chat chat
        ? chat.Turns.Sum(turn => turn.Parts.Count(part => part is ChatPart.Media))
        : 0);
}
