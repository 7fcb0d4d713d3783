namespace MmCluster.Engine.Cuda;

/// <summary>Where a step's numbers lie in its buffer, in words. What the GPU indexes together begins at multiples of four.</summary>
internal readonly struct StepLayout
{
    /// <summary>Words of a sampling job.</summary>
    public const int JobWords = 8;

    /// <param name="rows">Positions computed.</param>
    /// <param name="sequences">Sequences they belong to.</param>
    /// <param name="jobs">Sequences that are sampled.</param>
    /// <param name="sampled">Rows that are sampled.</param>
    /// <param name="width">Blocks of a sequence's table.</param>
    /// <param name="maxQueries">The most rows of a sequence.</param>
    /// <param name="visible">Whether rows say how far they see.</param>
    public StepLayout(int rows, int sequences, int jobs, int sampled, int width, int maxQueries, bool visible)
    {
        MaxQueries = maxQueries;
        (Rows, Sequences, JobCount, SampledCount, Width, HasEnds) = (rows, sequences, jobs, sampled, width, visible);
        int at = 0;
        Ids = Take(ref at, rows);
        Positions = Take(ref at, rows);
        Mapping = Take(ref at, rows);
        Ends = Take(ref at, visible ? rows : 0);
        Starts = Take(ref at, sequences + 1);
        Lengths = Take(ref at, sequences);
        Sampled = Take(ref at, sampled);
        Jobs = Take(ref at, jobs * JobWords);
        Tables = Take(ref at, sequences * width);
        Words = at;
    }

    public int Rows { get; }

    public int Sequences { get; }

    public int JobCount { get; }

    public int SampledCount { get; }

    public int Width { get; }

    /// <summary>The most rows of a sequence.</summary>
    public int MaxQueries { get; }

    public bool HasEnds { get; }

    /// <summary>[rows] ids, or -1 - slot for the token that the slot drew last.</summary>
    public int Ids { get; }

    /// <summary>[rows]</summary>
    public int Positions { get; }

    /// <summary>[rows] slots of the KV cache.</summary>
    public int Mapping { get; }

    /// <summary>[rows] or nothing.</summary>
    public int Ends { get; }

    /// <summary>[sequences + 1]</summary>
    public int Starts { get; }

    /// <summary>[sequences]</summary>
    public int Lengths { get; }

    /// <summary>[sampled] rows</summary>
    public int Sampled { get; }

    /// <summary>[jobs, 8]</summary>
    public int Jobs { get; }

    /// <summary>[sequences, width]</summary>
    public int Tables { get; }

    /// <summary>Words so far; drafts, masks and starts follow.</summary>
    public int Words { get; }

    private static int Take(ref int at, int words)
    {
        int start = at;
        at = (at + words + 3) & ~3;
        return start;
    }
}
