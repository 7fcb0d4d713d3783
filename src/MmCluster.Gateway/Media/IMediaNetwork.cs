using System.Net;
using System.Net.Sockets;

namespace MmCluster.Gateway.Media;

/// <summary>What fetching media needs of the network. Addresses given to <see cref="ConnectAsync"/> were checked; it must not look up others.</summary>
internal interface IMediaNetwork
{
    /// <summary>All addresses of a host's name.</summary>
    Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken);

    /// <summary>A connection to exactly that address.</summary>
    ValueTask<Stream> ConnectAsync(IPEndPoint address, CancellationToken cancellationToken);
}

/// <summary>The machine's network.</summary>
internal sealed class SystemMediaNetwork : IMediaNetwork
{
    public static readonly SystemMediaNetwork Instance = new();

    public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) => Dns.GetHostAddressesAsync(host, cancellationToken);

    public async ValueTask<Stream> ConnectAsync(IPEndPoint address, CancellationToken cancellationToken)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
