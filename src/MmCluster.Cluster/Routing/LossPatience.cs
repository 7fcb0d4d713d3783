namespace MmCluster.Cluster.Routing;

/// <summary>How long a new submission waits for stages that were lost and are being replaced. Belongs to one submission.</summary>
internal sealed class LossPatience(RoutedModel model)
{
    private static readonly TimeSpan Most = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly long _start = model.Time.GetTimestamp();
    private bool _lost;

    /// <summary>Whether a loss was met and there is time for another round.</summary>
    public bool IsLeft => _lost && model.Time.GetElapsedTime(_start) < Most;

    /// <summary>A call failed.</summary>
    public void Note(Exception error)
    {
        _lost |= Failures.TellsOfLoss(error);
        model.Report(error);
    }

    /// <summary>Waits for new routes, for the next round.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        model.LookSoon();
        await model.WaitForNewRoutesAsync(Pause, cancellationToken);
    }
}
