namespace MmCluster.Media;

/// <summary>This machine lacks a library or program that a format needs. The content itself may be fine.</summary>
/// <param name="message">What could not be done, and what to install.</param>
/// <param name="package">The name of the package on Debian and Ubuntu.</param>
public sealed class MissingDependencyException(string message, string package) : NotSupportedException(message)
{
    /// <summary>The name of the package on Debian and Ubuntu.</summary>
    public string Package { get; } = package;
}
