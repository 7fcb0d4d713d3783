namespace MmCluster.Cli.Evaluation;

/// <summary>How many answers were right.</summary>
/// <param name="Correct">Right answers.</param>
/// <param name="Total">All answers, at least one.</param>
internal readonly record struct Tally(int Correct, int Total)
{
    private const double Z = 1.959964; // 95 %, two-sided

    public double Accuracy => (double)Correct / Total;

    /// <summary>Wilson's 95 % interval of the share (Wilson 1927).</summary>
    public (double Low, double High) Interval
    {
        get
        {
            double p = Accuracy, n = Total;
            double middle = p + (Z * Z / (2 * n));
            double half = Z * Math.Sqrt((p * (1 - p) / n) + (Z * Z / (4 * n * n)));
            return ((middle - half) / (1 + (Z * Z / n)), (middle + half) / (1 + (Z * Z / n)));
        }
    }
}
