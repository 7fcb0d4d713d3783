using System.Net;
using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Internal;

/// <summary>Gives out the ports of all endpoints before anything starts, so that references can be resolved.</summary>
internal static class Ports
{
    /// <summary>Gives out ports and returns the forwarders of endpoints whose callers use another port than the process.</summary>
    public static List<TcpForwarder> GiveOut(IEnumerable<IResource> resources)
    {
        var forwarders = new List<TcpForwarder>();
        var held = new List<TcpListener>();
        try
        {
            foreach (IResource resource in resources)
            {
                foreach (EndpointAnnotation endpoint in resource.All<EndpointAnnotation>())
                {
                    GiveOut(resource, endpoint, forwarders, held);
                }
            }
        }
        finally
        {
            // Held to the end, so that no two endpoints get the same one.
            held.ForEach(listener => listener.Stop());
        }
        return forwarders;
    }

    private static void GiveOut(IResource resource, EndpointAnnotation endpoint, List<TcpForwarder> forwarders, List<TcpListener> held)
    {
        int replicas = resource.Replicas();
        bool two = endpoint.WantedPort is { } port && endpoint.WantedTargetPort is { } target && port != target;
        if (!endpoint.Proxied && (replicas > 1 || two))
        {
            throw new InvalidOperationException(
                $"{resource.Name}: endpoint '{endpoint.Name}' is not proxied, so it can have one port and its resource one replica only");
        }
        if (replicas == 1 && !two)
        {
            endpoint.Port = endpoint.WantedTargetPort ?? endpoint.WantedPort ?? Free(held);
            endpoint.TargetPorts = [endpoint.Port];
            return;
        }
        if (replicas > 1 && endpoint.WantedTargetPort is not null)
        {
            throw new InvalidOperationException($"{resource.Name}: endpoint '{endpoint.Name}' fixes the port that {replicas} replicas would all listen on");
        }
        endpoint.TargetPorts = replicas == 1 ? [endpoint.WantedTargetPort!.Value] : [.. Enumerable.Range(0, replicas).Select(_ => Free(held))];
        TcpListener listener = Listen(endpoint.WantedPort ?? 0, resource, endpoint);
        endpoint.Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        forwarders.Add(new TcpForwarder(listener, endpoint.TargetPorts));
    }

    private static int Free(List<TcpListener> held)
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        held.Add(listener);
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static TcpListener Listen(int port, IResource resource, EndpointAnnotation endpoint)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException error)
        {
            listener.Dispose();
            throw new InvalidOperationException($"{resource.Name}: endpoint '{endpoint.Name}': port {port}: {error.Message}", error);
        }
    }
}
