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
    /// <param name="needs">What else the network reads.</param>
    /// <param name="singles">Sequences in front with one row each.</param>
    public StepLayout(int rows, int sequences, int jobs, int sampled, int width, int maxQueries, bool visible, StepNeeds needs = default, int singles = 0)
    {
        (MaxQueries, LeadingSingles, Needs) = (maxQueries, singles, needs);
        (Rows, Sequences, JobCount, SampledCount, Width, HasEnds) = (rows, sequences, jobs, sampled, width, visible);
        int at = 0;
        Ids = Take(ref at, rows);
        Positions = Take(ref at, rows);
        Mapping = Take(ref at, rows);
        Ends = Take(ref at, visible ? rows : 0);
        Types = Take(ref at, needs.TokenTypes ? rows : 0);
        MemoryStarts = Take(ref at, needs.MemoryByMedia ? rows : 0);
        MemoryEnds = Take(ref at, needs.MemoryByMedia ? rows : 0);
        Starts = Take(ref at, sequences + 1);
        Lengths = Take(ref at, sequences);
        MemoryLengths = Take(ref at, needs.MemoryBlocks > 0 ? sequences : 0);
        Sampled = Take(ref at, sampled);
        Jobs = Take(ref at, jobs * JobWords);
        Tables = Take(ref at, sequences * width);
        MemoryTables = Take(ref at, sequences * needs.MemoryBlocks);
        Words = at;
    }

    public int Rows { get; }

    public int Sequences { get; }

    public int JobCount { get; }

    public int SampledCount { get; }

    public int Width { get; }

    /// <summary>The most rows of a sequence.</summary>
    public int MaxQueries { get; }

    /// <summary>Sequences in front with one row each.</summary>
    public int LeadingSingles { get; }

    public bool HasEnds { get; }

    /// <summary>What else the network reads; where it does not, the fields below for that are empty.</summary>
    public StepNeeds Needs { get; }

    /// <summary>[rows] ids, or -1 - slot for the token that the slot drew last.</summary>
    public int Ids { get; }

    /// <summary>[rows]</summary>
    public int Positions { get; }

    /// <summary>[rows] slots of the KV cache.</summary>
    public int Mapping { get; }

    /// <summary>[rows] or nothing.</summary>
    public int Ends { get; }

    /// <summary>[rows] 0 text, 1 media.</summary>
    public int Types { get; }

    /// <summary>[rows] the first row of the memory that each sees.</summary>
    public int MemoryStarts { get; }

    /// <summary>[rows] and one past the last.</summary>
    public int MemoryEnds { get; }

    /// <summary>[sequences + 1]</summary>
    public int Starts { get; }

    /// <summary>[sequences]</summary>
    public int Lengths { get; }

    /// <summary>[sequences] rows of the memory.</summary>
    public int MemoryLengths { get; }

    /// <summary>[sampled] rows</summary>
    public int Sampled { get; }

    /// <summary>[jobs, 8]</summary>
    public int Jobs { get; }

    /// <summary>[sequences, width]</summary>
    public int Tables { get; }

    /// <summary>[sequences, blocks of a memory]</summary>
    public int MemoryTables { get; }

    /// <summary>Words so far; drafts, masks and starts follow.</summary>
    public int Words { get; }

    private static int Take(ref int at, int words)
    {
        int start = at;
        at = (at + words + 3) & ~3;
        return start;
    }
}
