namespace MmCluster.Cli.Evaluation;

/// <summary>A direction from one object to another; the numbers are eval.json's order of words.</summary>
internal enum Relation
{
    Left = 0,
    Right = 1,
    Above = 2,
    Below = 3,
}

/// <summary>Where objects are in the picture and to each other.</summary>
internal sealed class SceneGeometry(EvalSpec spec)
{
    /// <summary>The ninth of the picture that a centre is in, 0 to 8 in reading order.</summary>
    public int CellOf(Thing thing) => (thing.X * 3 / spec.Canvas) + (3 * (thing.Y * 3 / spec.Canvas));

    /// <summary>Whether a centre is far enough from the ninths' borders for all to agree on its ninth.</summary>
    public bool IsClearlyInCell(Thing thing) => IsClear(thing.X) && IsClear(thing.Y);

    /// <summary>Whether a centre is in a ninth or near it.</summary>
    public bool Touches(Thing thing, int cell)
    {
        int third = spec.Canvas / 3, left = cell % 3 * third, top = cell / 3 * third;
        return Within(thing.X, left, third) && Within(thing.Y, top, third);
    }

    /// <summary>Where <paramref name="a"/> is as seen from <paramref name="b"/>; null if that is not clear.</summary>
    public Relation? Between(Thing a, Thing b)
    {
        int dx = a.X - b.X, dy = a.Y - b.Y;
        return IsClear(dx, dy) ? dx < 0 ? Relation.Left : Relation.Right
            : IsClear(dy, dx) ? dy < 0 ? Relation.Above : Relation.Below
            : null;
    }

    /// <summary>How far <paramref name="a"/> lies in a direction from <paramref name="b"/>, pixels; negative on the other side.</summary>
    public static int Distance(Thing a, Thing b, Relation relation) => relation switch
    {
        Relation.Left => b.X - a.X,
        Relation.Right => a.X - b.X,
        Relation.Above => b.Y - a.Y,
        Relation.Below => a.Y - b.Y,
        _ => throw new System.Diagnostics.UnreachableException($"no direction for {relation}"),
    };

    private bool IsClear(int along, int across) =>
        Math.Abs(along) >= spec.Relation.Least && Math.Abs(along) * 100 >= Math.Abs(across) * spec.Relation.RatioPercent;

    private bool IsClear(int position)
    {
        int third = spec.Canvas / 3;
        return Math.Min(Math.Abs(position - third), Math.Abs(position - (2 * third))) >= spec.CellMargin;
    }

    private bool Within(int position, int start, int length) => position >= start - spec.CellMargin && position < start + length + spec.CellMargin;
}
