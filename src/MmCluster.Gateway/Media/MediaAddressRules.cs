using MmCluster.Gateway.Hosting;

namespace MmCluster.Gateway.Media;

/// <summary>Which URLs may be fetched at all, before any name is looked up.</summary>
internal sealed class MediaAddressRules(GatewayOptions options)
{
    private const int MaxUrlLength = 8192;

    /// <summary>Whether any URL may be fetched.</summary>
    public bool Enabled => options.AllowedMediaDomains.Count > 0;

    /// <summary>The address of <paramref name="url"/>.</summary>
    /// <exception cref="MediaRefusedException">It is not one of an allowed domain, scheme and port.</exception>
    public Uri Check(string url)
    {
        if (url.Length > MaxUrlLength || !Uri.TryCreate(url, UriKind.Absolute, out Uri? address))
        {
            throw new MediaRefusedException("its URL cannot be read");
        }
        Check(address);
        return address;
    }

    /// <exception cref="MediaRefusedException">It is not one of an allowed domain, scheme and port.</exception>
    public void Check(Uri address)
    {
        if (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps)
        {
            throw new MediaRefusedException("only http: and https: URLs are fetched");
        }
        if (address.UserInfo.Length > 0)
        {
            throw new MediaRefusedException("a URL with a user name or password is not fetched");
        }
        if (!address.IsDefaultPort && !options.AllowedMediaPorts.Contains(address.Port))
        {
            throw new MediaRefusedException("its port is not allowed");
        }
        string host = address.IdnHost.TrimEnd('.');
        if (!options.AllowedMediaDomains.Any(domain => Matches(domain, host)))
        {
            throw new MediaRefusedException("its domain is not among the allowed ones");
        }
    }

    private static bool Matches(string domain, string host) => domain == "*"
        || (domain.StartsWith("*.", StringComparison.Ordinal)
            ? host.EndsWith(domain[1..], StringComparison.OrdinalIgnoreCase) && host.Length > domain.Length - 1
            : host.Equals(domain, StringComparison.OrdinalIgnoreCase));
}
