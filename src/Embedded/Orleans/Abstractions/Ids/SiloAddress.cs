using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Orleans.Runtime.Internal;

namespace Orleans.Runtime;

/// <summary>A silo's endpoint and its generation, which tells incarnations at one endpoint apart.</summary>
public sealed class SiloAddress : IEquatable<SiloAddress>, IComparable<SiloAddress>, ISpanFormattable, IParsable<SiloAddress>, IUtf8SpanParsable<SiloAddress>
{
    // Generations count seconds from here, as the originals' do.
    private static readonly DateTime Epoch = new(2010, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private readonly int _hash;

    private SiloAddress(IPEndPoint endpoint, int generation)
    {
        Endpoint = endpoint;
        Generation = generation;
        _hash = unchecked((int)StableHash.Compute(ToParsableString()));
    }

    /// <summary>Address and port of the silo-to-silo listener.</summary>
    public IPEndPoint Endpoint { get; }

    /// <summary>The incarnation; negative for clients.</summary>
    public int Generation { get; }

    /// <summary>The address of nobody.</summary>
    public static SiloAddress Zero { get; } = New(new IPEndPoint(IPAddress.Any, 0), 0);

    /// <summary>Whether this is a client's address.</summary>
    public bool IsClient => Generation < 0;

    /// <summary>The silo at <paramref name="ep"/> in incarnation <paramref name="gen"/>.</summary>
    public static SiloAddress New(IPEndPoint ep, int gen) => new(ep, gen);

    /// <summary>The silo at <paramref name="address"/> and <paramref name="port"/> in incarnation <paramref name="generation"/>.</summary>
    public static SiloAddress New(IPAddress address, int port, int generation) => new(new IPEndPoint(address, port), generation);

    /// <summary>A generation larger than any given before on this machine, as long as its clock is not set back.</summary>
    public static int AllocateNewGeneration() =>
        (int)((TimeProvider.System.GetUtcNow().UtcDateTime.Ticks - Epoch.Ticks) / TimeSpan.TicksPerSecond);

    /// <summary><c>127.0.0.1:11111@123</c>, which <see cref="FromParsableString"/> reads.</summary>
    public string ToParsableString() => string.Create(CultureInfo.InvariantCulture, $"{Endpoint}@{Generation}");

    /// <summary>Reads what <see cref="ToParsableString"/> wrote.</summary>
    /// <exception cref="FormatException">The text is no silo address.</exception>
    public static SiloAddress FromParsableString(string addr) =>
        TryParse(addr, null, out SiloAddress? result) ? result
            : throw new FormatException($"'{addr}' is no silo address: expected address:port@generation.");

    /// <summary>Reads what <see cref="ToParsableString"/> wrote.</summary>
    /// <exception cref="FormatException">The text is no silo address.</exception>
    public static SiloAddress Parse(string value) => FromParsableString(value);

    /// <summary>Reads what <see cref="ToParsableString"/> wrote.</summary>
    /// <exception cref="FormatException">The text is no silo address.</exception>
    public static SiloAddress Parse(string value, IFormatProvider? provider = null) => FromParsableString(value);

    /// <summary>Reads what <see cref="ToParsableString"/> wrote; false where the text is something else.</summary>
    public static bool TryParse(string? value, [NotNullWhen(true)] out SiloAddress? result) => TryParse(value, null, out result);

    /// <summary>Reads what <see cref="ToParsableString"/> wrote; false where the text is something else.</summary>
    public static bool TryParse([NotNullWhen(true)] string? value, IFormatProvider? provider, [NotNullWhen(true)] out SiloAddress? result)
    {
        result = null;
        int at = value?.LastIndexOf('@') ?? -1;
        if (at > 0
            && IPEndPoint.TryParse(value.AsSpan(0, at), out IPEndPoint? endpoint)
            && int.TryParse(value.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int generation))
        {
            result = new SiloAddress(endpoint, generation);
        }
        return result is not null;
    }

    /// <summary>Reads what <see cref="ToParsableString"/> wrote, as UTF-8.</summary>
    /// <exception cref="FormatException">The text is no silo address.</exception>
    public static SiloAddress FromUtf8String(ReadOnlySpan<byte> addr) => FromParsableString(Encoding.UTF8.GetString(addr));

    /// <summary>Reads what <see cref="ToParsableString"/> wrote, as UTF-8.</summary>
    /// <exception cref="FormatException">The text is no silo address.</exception>
    public static SiloAddress Parse(ReadOnlySpan<byte> utf8Text) => FromUtf8String(utf8Text);

    /// <summary>Reads what <see cref="ToParsableString"/> wrote, as UTF-8.</summary>
    /// <exception cref="FormatException">The text is no silo address.</exception>
    public static SiloAddress Parse(ReadOnlySpan<byte> utf8Text, IFormatProvider? provider = null) => FromUtf8String(utf8Text);

    /// <summary>Reads what <see cref="ToParsableString"/> wrote, as UTF-8; false where the text is something else.</summary>
    public static bool TryParse(ReadOnlySpan<byte> utf8Text, [NotNullWhen(true)] out SiloAddress? result) =>
        TryParse(Encoding.UTF8.GetString(utf8Text), out result);

    /// <summary>Reads what <see cref="ToParsableString"/> wrote, as UTF-8; false where the text is something else.</summary>
    public static bool TryParse(ReadOnlySpan<byte> utf8Text, IFormatProvider? provider, [NotNullWhen(true)] out SiloAddress? result) =>
        TryParse(utf8Text, out result);

    /// <summary><c>S127.0.0.1:11111:123</c>, with <c>C</c> for a client.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{(IsClient ? 'C' : 'S')}{Endpoint}:{Generation}");

    /// <summary><see cref="ToString"/> with the consistent hash behind it.</summary>
    public string ToStringWithHashCode() => string.Create(CultureInfo.InvariantCulture, $"{this}/x{_hash:X8}");

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SiloAddress);

    /// <inheritdoc/>
    public override int GetHashCode() => _hash;

    /// <summary>A hash that is the same in every process.</summary>
    public int GetConsistentHashCode() => _hash;

    /// <summary>Whether both are the same incarnation of the same silo.</summary>
    public bool Equals(SiloAddress? other) =>
        ReferenceEquals(this, other)
        || (other is not null && _hash == other._hash && Generation == other.Generation && Endpoint.Equals(other.Endpoint));

    /// <summary>Whether this is a later incarnation at the endpoint of <paramref name="other"/>.</summary>
    public bool IsSuccessorOf(SiloAddress other) =>
        Generation > other.Generation && other.Generation != 0 && Endpoint.Equals(other.Endpoint);

    /// <summary>Whether this is an earlier incarnation at the endpoint of <paramref name="other"/>.</summary>
    public bool IsPredecessorOf(SiloAddress other) => other.IsSuccessorOf(this);

    /// <summary>Orders by generation, then address, then port.</summary>
    public int CompareTo(SiloAddress? other)
    {
        if (other is null)
        {
            return 1;
        }
        int order = Generation.CompareTo(other.Generation);
        order = order != 0 ? order : string.CompareOrdinal(Endpoint.Address.ToString(), other.Endpoint.Address.ToString());
        return order != 0 ? order : Endpoint.Port.CompareTo(other.Endpoint.Port);
    }

    internal bool IsIPv4 => Endpoint.AddressFamily == AddressFamily.InterNetwork;

    bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        destination.TryWrite($"{ToString()}", out charsWritten);

    string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();
}
