namespace MmCluster.Cli.Evaluation;

/// <summary>Whole numbers from <paramref name="Low"/> to <paramref name="High"/>, both included.</summary>
internal readonly record struct Range32(int Low, int High);
