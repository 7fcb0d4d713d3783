namespace Aspire.Hosting.ApplicationModel;

/// <summary>An endpoint of a resource, with its ports once they are given out.</summary>
public sealed class EndpointAnnotation : IResourceAnnotation
{
    internal EndpointAnnotation(string name, string scheme, int? port, int? targetPort, string? variable, bool proxied)
    {
        Name = name;
        Scheme = scheme;
        WantedPort = port;
        WantedTargetPort = targetPort;
        Variable = variable;
        Proxied = proxied;
    }

    internal string Name { get; }

    internal string Scheme { get; }

    internal int? WantedPort { get; }

    internal int? WantedTargetPort { get; }

    /// <summary>The variable that tells a process its port, or null.</summary>
    internal string? Variable { get; }

    internal bool Proxied { get; }

    /// <summary>The port that callers use; 0 until the start.</summary>
    internal int Port { get; set; }

    /// <summary>The port of each replica.</summary>
    internal int[] TargetPorts { get; set; } = [];
}
