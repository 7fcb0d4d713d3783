using System.Collections.Concurrent;
using MmCluster.Engine.Hosting;
using MmCluster.Models;

namespace MmCluster.Gateway.Admission;

/// <summary>
/// Cost units of a model's requests in flight, and the ids of all. A choice costs 1 and a media item 1. Safe to call from any thread.
/// </summary>
internal sealed class AdmissionGate(ConcurrentDictionary<string, bool> ids, int? maxQueue)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private int _used;

    /// <summary>Cost units in flight.</summary>
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

    /// <summary>Takes the id and all units of a request, or nothing; <see cref="Leave"/> gives them back.</summary>
    /// <returns>The units taken.</returns>
    /// <exception cref="MmException">AlreadyExists for an id in flight; Unavailable, with when to retry, when the queue is full.</exception>
    public int Enter(ModelRequest request)
    {
        // What is larger than the whole queue runs alone: refusing it could never be retried with success.
        int cost = Math.Min(Cost(request), maxQueue ?? int.MaxValue);
        if (!ids.TryAdd(request.Id, true))
        {
            throw new MmException(MmErrorCode.AlreadyExists, $"a request of id '{request.Id}' is in flight; wait for it or take another id") { Param = "X-Request-Id" };
        }
        lock (_gate)
        {
            if (maxQueue is null || _used + cost <= maxQueue)
            {
                _used += cost;
                return cost;
            }
        }
        ids.TryRemove(request.Id, out _);
        throw new MmException(MmErrorCode.Unavailable, $"the queue of {maxQueue} is full; try again later") { RetryAfter = RetryAfter };
    }

    public void Leave(ModelRequest request, int cost)
    {
        lock (_gate)
        {
            _used -= cost;
        }
        ids.TryRemove(request.Id, out _);
    }

    private static int Cost(ModelRequest request) => request.Sampling.Choices + (request.Input is ModelInput.Chat chat
        ? chat.Turns.Sum(turn => turn.Parts.Count(part => part is ChatPart.Media))
        : 0);
}
