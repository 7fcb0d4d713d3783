using MmCluster.Engine;

namespace MmCluster.Cluster.Routing;

/// <summary>What a request's client has seen of each choice: what is seen twice is dropped, and a replay begins behind it.</summary>
internal sealed class ChoiceProgress(int choices)
{
    private readonly List<int>[] _seen = [.. Enumerable.Range(0, choices).Select(_ => new List<int>())];
    private readonly bool[] _finished = new bool[choices];

    /// <summary>Choices that have not ended.</summary>
    public int Unfinished { get; private set; } = choices;

    /// <summary>The ids seen, a list a choice; null before the first.</summary>
    public int[][]? Emitted => _seen.All(ids => ids.Count == 0) ? null : [.. _seen.Select(ids => ids.ToArray())];

    /// <summary>Whether something before this entry is missing: then only a replay helps.</summary>
    public bool IsBehind(in SequenceOutput entry) =>
        (uint)entry.Choice < (uint)_seen.Length && !_finished[entry.Choice] && entry.SequenceNumber > _seen[entry.Choice].Count;

    /// <summary>Whether an entry is news; then it counts as seen.</summary>
    public bool TryTake(in SequenceOutput entry)
    {
        if ((uint)entry.Choice >= (uint)_seen.Length || _finished[entry.Choice] || entry.SequenceNumber != _seen[entry.Choice].Count)
        {
            return false;
        }
        foreach (int id in entry.TokenIds.Span)
        {
            _seen[entry.Choice].Add(id);
        }
        if (entry.Finish is not null)
        {
            _finished[entry.Choice] = true;
            Unfinished--;
        }
        return true;
    }

    /// <summary>The ends of all choices that have none.</summary>
    public IEnumerable<SequenceOutput> Fail(string request, Models.MmException error)
    {
        for (int choice = 0; choice < _seen.Length; choice++)
        {
            if (!_finished[choice])
            {
                _finished[choice] = true;
                Unfinished--;
                FinishReason reason = error.Code is Models.MmErrorCode.Cancelled or Models.MmErrorCode.DeadlineExceeded ? FinishReason.Cancelled : FinishReason.Error;
                yield return new SequenceOutput(request, choice, _seen[choice].Count, default, "", reason) { Error = error };
            }
        }
    }
}
