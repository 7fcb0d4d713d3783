namespace Aspire.Hosting;

/// <summary>Options of an app host.</summary>
public sealed class DistributedApplicationOptions
{
    /// <summary>Creates options with the defaults.</summary>
    public DistributedApplicationOptions()
    {
    }

    /// <summary>Command line arguments; <c>--key value</c> become configuration.</summary>
    public string[]? Args { get; set; }

    /// <summary>Whether there is no status page; false unless set.</summary>
    public bool DisableDashboard { get; set; }

    /// <summary>Whether the dashboard may be plain HTTP. The status page here always is, on the loopback address.</summary>
    public bool AllowUnsecuredTransport { get; set; }

    /// <summary>The folder that paths of projects are relative to; the app host's project folder unless set.</summary>
    public string? ProjectDirectory { get; set; }
}
