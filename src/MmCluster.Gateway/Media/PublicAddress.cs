using System.Net;
using System.Net.Sockets;

namespace MmCluster.Gateway.Media;

/// <summary>
/// Tells addresses of the public internet from all others (IANA's special-purpose registries, RFC 6890 and later). What embeds another
/// address (IPv4-mapped, 6to4, Teredo, NAT64) is not public: the embedded one would be reached unchecked.
/// </summary>
internal static class PublicAddress
{
    private static readonly IPNetwork[] PrivateV4 =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
            "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        }.Select(IPNetwork.Parse),
    ];

    // Only 2000::/3 is handed out as global unicast: loopback, ::/96, mapped, NAT64, unique local, link-local and multicast lie outside.
    private static readonly IPNetwork GlobalV6 = IPNetwork.Parse("2000::/3");

    private static readonly IPNetwork[] SpecialV6 =
        [.. new[] { "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20" }.Select(IPNetwork.Parse)];

    public static bool Is(IPAddress address) => address.AddressFamily switch
    {
        AddressFamily.InterNetwork => !PrivateV4.Any(network => network.Contains(address)),
        AddressFamily.InterNetworkV6 => !address.IsIPv4MappedToIPv6 && address.ScopeId == 0 && GlobalV6.Contains(address)
            && !SpecialV6.Any(network => network.Contains(address)),
        _ => false,
    };
}
