using System.Net;
using System.Net.Sockets;

namespace Orleans.TestingHost;

/// <summary>Ports that the system says are free.</summary>
internal sealed class FreePorts : ITestClusterPortAllocator
{
    public (int, int) AllocateConsecutivePortPairs(int numPorts) =>
        numPorts == 1 ? (Free(), Free()) : throw new NotSupportedException("ports are given out one pair at a time.");

    public void Dispose()
    {
    }

    private static int Free()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
