using System.Globalization;

namespace Orleans.Runtime;

/// <summary>The identity of one activation of a grain.</summary>
public readonly struct ActivationId : IEquatable<ActivationId>, ISpanFormattable
{
    /// <summary>Wraps <paramref name="key"/>.</summary>
    public ActivationId(Guid key) => Key = key;

    internal Guid Key { get; }

    /// <summary>Whether this is the empty default.</summary>
    public bool IsDefault => Key == Guid.Empty;

    /// <summary>A new identity.</summary>
    public static ActivationId NewId() => new(Guid.NewGuid());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ActivationId other && Equals(other);

    /// <summary>Whether both are the same activation.</summary>
    public bool Equals(ActivationId other) => Key == other.Key;

    /// <inheritdoc/>
    public override int GetHashCode() => Key.GetHashCode();

    /// <summary><c>@</c> and the identity.</summary>
    public override string ToString() => $"@{Key:N}";

    /// <summary>The identity, which <see cref="FromParsableString"/> reads.</summary>
    public string ToParsableString() => ToString();

    /// <summary>Reads what <see cref="ToParsableString"/> wrote.</summary>
    /// <exception cref="FormatException">The text is no activation id.</exception>
    public static ActivationId FromParsableString(string activationId) => new(Guid.Parse(activationId.AsSpan().TrimStart('@')));

    /// <summary>Whether both are the same activation.</summary>
    public static bool operator ==(ActivationId left, ActivationId right) => left.Equals(right);

    /// <summary>Whether they differ.</summary>
    public static bool operator !=(ActivationId left, ActivationId right) => !left.Equals(right);

    bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        destination.TryWrite($"@{Key:N}", out charsWritten);

    string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();
}

/// <summary>Where one activation of a grain lives.</summary>
[GenerateSerializer, Immutable]
public sealed class GrainAddress : IEquatable<GrainAddress>, ISpanFormattable
{
    /// <summary>An empty address.</summary>
    public GrainAddress()
    {
    }

    /// <summary>The grain.</summary>
    [Id(0)]
    public GrainId GrainId { get; init; }

    /// <summary>The activation.</summary>
    [Id(1)]
    public ActivationId ActivationId { get; init; }

    /// <summary>The silo.</summary>
    [Id(2)]
    public SiloAddress? SiloAddress { get; init; }

    /// <summary>The membership version at which the address was registered.</summary>
    [Id(3)]
    public MembershipVersion MembershipVersion { get; init; } = MembershipVersion.MinValue;

    /// <summary>Whether grain, activation and silo are set.</summary>
    public bool IsComplete => !GrainId.IsDefault && !ActivationId.IsDefault && SiloAddress is not null;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as GrainAddress);

    /// <summary>Whether both are the same activation on the same silo, registered at the same version.</summary>
    public bool Equals(GrainAddress? other) =>
        other is not null && Matches(other) && MembershipVersion == other.MembershipVersion;

    /// <summary>Whether both are the same activation on the same silo.</summary>
    public bool Matches(GrainAddress other) =>
        other is not null && GrainId.Equals(other.GrainId) && ActivationId.Equals(other.ActivationId)
        && Equals(SiloAddress, other.SiloAddress);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(SiloAddress, GrainId, ActivationId);

    /// <summary>Grain, activation and silo.</summary>
    public override string ToString() => $"[{GrainId} {ActivationId} {SiloAddress}]";

    /// <summary><see cref="ToString"/> with the membership version.</summary>
    public string ToFullString() => $"[{GrainId} {ActivationId} {SiloAddress} {MembershipVersion}]";

    bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        destination.TryWrite($"{ToString()}", out charsWritten);

    string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();
}

/// <summary>The version of a view of the cluster's members; views are totally ordered.</summary>
public readonly struct MembershipVersion : IComparable<MembershipVersion>, IEquatable<MembershipVersion>, ISpanFormattable
{
    /// <summary>Wraps <paramref name="version"/>.</summary>
    public MembershipVersion(long version) => Value = version;

    /// <summary>The number.</summary>
    public long Value { get; init; }

    /// <summary>The least version.</summary>
    public static MembershipVersion MinValue => new(long.MinValue);

    /// <summary>Orders by number.</summary>
    public int CompareTo(MembershipVersion other) => Value.CompareTo(other.Value);

    /// <summary>Whether both are equal.</summary>
    public bool Equals(MembershipVersion other) => Value == other.Value;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is MembershipVersion other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Value.GetHashCode();

    /// <summary>The number as text.</summary>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Whether both are equal.</summary>
    public static bool operator ==(MembershipVersion left, MembershipVersion right) => left.Value == right.Value;

    /// <summary>Whether they differ.</summary>
    public static bool operator !=(MembershipVersion left, MembershipVersion right) => left.Value != right.Value;

    /// <summary>Whether left is later or equal.</summary>
    public static bool operator >=(MembershipVersion left, MembershipVersion right) => left.Value >= right.Value;

    /// <summary>Whether left is earlier or equal.</summary>
    public static bool operator <=(MembershipVersion left, MembershipVersion right) => left.Value <= right.Value;

    /// <summary>Whether left is later.</summary>
    public static bool operator >(MembershipVersion left, MembershipVersion right) => left.Value > right.Value;

    /// <summary>Whether left is earlier.</summary>
    public static bool operator <(MembershipVersion left, MembershipVersion right) => left.Value < right.Value;

    bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        Value.TryFormat(destination, out charsWritten, format, provider);

    string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => Value.ToString(format, formatProvider);
}
