namespace MmCluster.Cli.Evaluation;

/// <summary>The kinds with the rules, and what of them training never saw: places, pairs, mirrored kinds.</summary>
internal sealed class EvalWorld
{
    private readonly bool[,] _heldPairs;

    public EvalWorld(EvalSpec spec, IReadOnlyList<EvalKind> kinds)
    {
        (Spec, Kinds) = (spec, kinds);
        _heldPairs = new bool[kinds.Count, kinds.Count];
        for (int a = 0; a < kinds.Count; a++)
        {
            for (int b = 0; b < a; b++)
            {
                string[] names = [kinds[a].Name, kinds[b].Name];
                Array.Sort(names, StringComparer.Ordinal);
                _heldPairs[a, b] = _heldPairs[b, a] = Fnv1a.Hash(string.Join('|', names)) % spec.HeldOut.PairModulus == 0;
            }
        }
    }

    public EvalSpec Spec { get; }

    public IReadOnlyList<EvalKind> Kinds { get; }

    /// <summary>Whether training never shows two kinds together.</summary>
    public bool IsHeldPair(int a, int b) => _heldPairs[a, b];

    /// <summary>The kinds that training never shows with this one.</summary>
    public List<int> PartnersOf(int kind) => [.. Enumerable.Range(0, Kinds.Count).Where(other => _heldPairs[kind, other])];

    /// <summary>Whether training never puts a kind's centre near this point: cells of a grid, other ones for each kind.</summary>
    public bool IsHeldPlace(int kind, int x, int y)
    {
        int grid = Spec.HeldOut.Grid;
        int cell = (x * grid / Spec.Canvas) + (grid * (y * grid / Spec.Canvas));
        return unchecked(Fnv1a.Hash(Kinds[kind].Name) + (ulong)cell) % (ulong)Spec.HeldOut.CellModulus == 0;
    }

    /// <summary>Whether training may mirror a kind.</summary>
    public bool IsMirroredInTraining(int kind) => Fnv1a.Hash("mirror|" + Kinds[kind].Name) % Spec.HeldOut.MirrorModulus == 0;
}
