using MmCluster.Models.Cards;

namespace MmCluster.Cluster.Routing;

/// <summary>Finds the signal tokens of a generator in the ids of one choice, wherever entries are cut.</summary>
internal sealed class SignalWatch(SignalOf[] signals)
{
    private readonly int[] _matched = new int[signals.Length];

    /// <summary>The generators whose signal these ids complete, in order.</summary>
    public IEnumerable<SignalOf> Push(ReadOnlyMemory<int> ids)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            int id = ids.Span[i];
            for (int signal = 0; signal < signals.Length; signal++)
            {
                int[] wanted = signals[signal].Ids;
                // A signal's ids differ from each other, so a mismatch can only begin it anew.
                _matched[signal] = wanted[_matched[signal]] == id ? _matched[signal] + 1 : wanted[0] == id ? 1 : 0;
                if (_matched[signal] == wanted.Length)
                {
                    _matched[signal] = 0;
                    yield return signals[signal];
                }
            }
        }
    }
}

/// <summary>The ids by which a language model asks for a component's media.</summary>
internal sealed record SignalOf(string Component, int[] Ids, Modality Output);
