namespace Aspire.Hosting.ApplicationModel;

/// <summary>The variables of one process, before its start.</summary>
public class EnvironmentCallbackContext
{
    internal EnvironmentCallbackContext(IResource resource, CancellationToken cancellationToken)
    {
        Resource = resource;
        CancellationToken = cancellationToken;
    }

    /// <summary>The variables so far: text, or values such as endpoints.</summary>
    public Dictionary<string, object> EnvironmentVariables { get; } = [];

    /// <summary>The resource that is about to start.</summary>
    public IResource Resource { get; }

    /// <summary>Cancelled when the application stops.</summary>
    public CancellationToken CancellationToken { get; }
}
