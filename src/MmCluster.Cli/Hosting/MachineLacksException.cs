namespace MmCluster.Cli.Hosting;

/// <summary>The machine lacks a library, program or device; the message says what to install.</summary>
internal sealed class MachineLacksException(string message) : Exception(message);
